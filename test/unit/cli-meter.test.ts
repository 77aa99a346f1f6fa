import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import { wrapperServerLink } from '#protocol/wrapper/link.ts';
import type { CosemMeter } from '#sim/cosem-meter.ts';
import { startCosemMeter } from '#sim/cosem-meter.ts';
import { CosemObjects } from '#sim/cosem-objects.ts';
import { machineClock } from '#system/clock.ts';
import { ASCII_LINES, endOf, envelope, runNormctl, startNormctl } from '../support/command-line.ts';

const withoutSocat =
  spawnSync('socat', ['-V']).status === 0 ? false : 'socat is missing: no pseudo-terminal';
const ROWS = 400;
const PASSWORD = 'Gurux';
const NAMED = { clock: machineClock, deviceName: 'NRM0000000000001' };
const meters: CosemMeter[] = [];
const folder = mkdtempSync(join(tmpdir(), 'normd-meter-'));
const passwordFile = join(folder, 'password');

before(async () => {
  const clock = machineClock;
  const objects = (): CosemObjects => new CosemObjects({ ...NAMED, profileRows: ROWS });
  const wrapped = () => wrapperServerLink({ client: 16, server: 1 });
  const framed = () => new HdlcServerLink({ server: { upper: 1, length: 1 } });
  const password = new TextEncoder().encode(PASSWORD);
  meters.push(
    await startCosemMeter({ clock, objects: objects(), link: wrapped, port: 0 }),
    await startCosemMeter({ clock, objects: objects(), link: framed, port: 0, password }),
  );
  writeFileSync(passwordFile, `${PASSWORD}\n`, { mode: 0o600 });
});

after(async () => {
  for (const meter of meters) await meter.stop();
  rmSync(folder, { recursive: true });
});

/** How each of the two simulated meters is reached. */
function reached(framing: 'wrapper' | 'hdlc'): readonly string[] {
  const port = meters[framing === 'wrapper' ? 0 : 1]?.port ?? 0;
  const at = ['--tcp', `127.0.0.1:${port}`, '--framing', framing];
  return framing === 'wrapper' ? at : [...at, '--password-file', passwordFile];
}

for (const framing of ['wrapper', 'hdlc'] as const) {
  test(`a meter over ${framing} tells its objects, its registers and its name`, async () => {
    const objects = await runNormctl(['meter', 'objects', ...reached(framing)]);
    assert.equal(objects.status, 0, objects.err);
    assert.match(objects.out, /^9 objects\n/);
    assert.match(objects.out, ASCII_LINES);
    const energy = await runNormctl(['meter', 'read', '1-0:1.8.0', ...reached(framing)]);
    assert.match(energy.out, /^1-0:1\.8\.0\*255 {2}\d+ Wh\n$/);
    const voltage = await runNormctl(['meter', 'read', '3/1-0:32.7.0/2', ...reached(framing)]);
    assert.match(voltage.out, /230\.\d V\n$/);
    const name = await runNormctl(['meter', 'read', '1/0-0:42.0.0', '--json', ...reached(framing)]);
    assert.deepEqual(envelope(name.out).data, {
      object: '0-0:42.0.0*255',
      classId: 1,
      attributeId: 2,
      data: { type: 'octet-string', value: '4e524d30303030303030303030303031' },
    });
  });

  test(`over ${framing} objects and attributes are found by their names`, async () => {
    const { out } = await runNormctl(['meter', 'objects', ...reached(framing)]);
    assert.match(out, /1-0:1\.8\.0\*255 +3 v0 Register +active energy import +1 2 3/);
    assert.ok(out.split('\n').every((line) => line.length <= 80));
    const scaler = ['meter', 'read', '1-0:32.7.0', 'scaler_unit'];
    const read = await runNormctl([...scaler, '--json', ...reached(framing)]);
    const { attributeId, attribute } = envelope(read.out).data as Record<string, unknown>;
    assert.deepEqual({ attributeId, attribute }, { attributeId: 3, attribute: 'scaler_unit' });
    const time = await runNormctl(['meter', 'read', 'clock', 'time', ...reached(framing)]);
    assert.match(time.out, /^0-0:1\.0\.0\*255 {2}\d{4}-\d\d-\d\dT[\d:]{8}\+01:00\n$/);
    const unknown = await runNormctl(['meter', 'read', 'clock', 'colour', ...reached(framing)]);
    assert.match(unknown.err, /^error usage: .*write logical_name, time, /);
    const missing = await runNormctl(['meter', 'read', 'limiter', ...reached(framing)]);
    assert.match(missing.err, /^error object-missing: /);
  });

  test(`a profile over ${framing} comes row by row, whole and by entry`, async () => {
    const whole = await runNormctl(['meter', 'profile', '1-0:99.1.0', ...reached(framing)]);
    assert.equal(whole.status, 0, whole.err);
    const rows = whole.out.trim().split('\n');
    assert.equal(rows.length, ROWS);
    assert.equal(new Set(rows).size, ROWS);
    assert.match(whole.err, new RegExp(`${ROWS} rows`));
    assert.match(whole.err, /1-0:1\.8\.0\*255\/2 Wh/);
    const words = ['meter', 'profile', '1-0:99.1.0', '--entries', '3-5', '--json'];
    const some = await runNormctl([...words, ...reached(framing)]);
    const lines = some.out.trim().split('\n');
    assert.equal(lines.length, 1 + 3);
    const { columns } = JSON.parse(lines[0] ?? '') as { columns: readonly object[] };
    assert.partialDeepStrictEqual(columns[1], {
      scaler: 0,
      unit: 'Wh',
      name: 'active energy import',
    });
  });
}

test('a profile has an end or a beginning of its own where only the other is given', async () => {
  const words = ['meter', 'profile', '1-0:99.1.0', ...reached('wrapper')];
  const times = (await runNormctl(words)).out.split('\n').map((line) => line.slice(0, 19));
  const since = await runNormctl([...words, '--from', times[ROWS - 3] ?? '']);
  assert.ok(since.out.startsWith(times[ROWS - 3] ?? '-'), since.err);
  assert.ok(since.out.trim().split('\n').length >= 3);
  const until = await runNormctl([...words, '--to', times[2] ?? '']);
  assert.equal(until.out.trim().split('\n').length, 3, until.err);
});

test('who is cut off in a profile is told how to go on', async () => {
  const objects = new CosemObjects({ ...NAMED, profileRows: 40_000 });
  const link = () => wrapperServerLink({ client: 16, server: 1 });
  const meter = await startCosemMeter({ clock: machineClock, objects, link, port: 0 });
  const at = ['--tcp', `127.0.0.1:${meter.port}`];
  const child = startNormctl(['meter', 'profile', '1-0:99.1.0', ...at]);
  child.stdout.once('data', () => void meter.stop());
  const [out, err, { status }] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    endOf(child),
  ]);
  assert.equal(status, 3, err);
  const rows = out.trim().split('\n');
  assert.ok(rows.length < 40_000);
  const last = rows.at(-1)?.slice(0, 19) ?? '';
  assert.ok(err.includes(`${rows.length} rows have come; go on with --from ${last}`), err);
});

test('a clock is read, set within the limit, and left alone beyond it', async () => {
  const read = await runNormctl(['meter', 'clock', ...reached('wrapper')]);
  assert.match(read.out, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+01:00\n$/);
  const set = await runNormctl(['meter', 'clock', '--set', ...reached('wrapper')]);
  assert.equal(set.status, 0, set.err);
  assert.match(set.out, /set, it was wrong by -?\d+ s/);
});

test('a clock that does not show how it stands to UTC is set by a time zone only', async () => {
  const objects = new CosemObjects({ ...NAMED, profileRows: 1, openDeviation: true });
  const link = () => wrapperServerLink({ client: 16, server: 1 });
  const meter = await startCosemMeter({ clock: machineClock, objects, link, port: 0 });
  meters.push(meter);
  const set = ['meter', 'clock', '--set', '--tcp', `127.0.0.1:${meter.port}`];
  const unknown = await runNormctl([...set, '--step-max', '86400']);
  assert.equal(unknown.status, 1);
  assert.match(unknown.err, /^error meter-clock-unknown: /);
  const known = await runNormctl([...set, '--time-zone', '+01:00']);
  assert.match(known.out, /set, it was wrong by -?[01] s/, known.err);
  const other = await runNormctl([...set, '--time-zone', '+09:00']);
  assert.match(other.err, /^error clock-step-too-large: /);
  const nowhere = await runNormctl([...set, '--time-zone', 'Nowhere']);
  assert.equal(nowhere.status, 2);
});

test('what went wrong is told with a code and what to try', async () => {
  const portless = await runNormctl(['meter', 'read', 'clock', '--serial', '/dev/none']);
  assert.equal(portless.status, 3, portless.err);
  const missing = await runNormctl(['meter', 'read', '1-0:99.99.0', ...reached('wrapper')]);
  assert.equal(missing.status, 1);
  assert.match(missing.err, /^error object-missing: /);
  assert.match(missing.err, /\n {2}try: /);

  const refused = await runNormctl(['meter', 'read', '1/0-0:96.99.0/2', ...reached('wrapper')]);
  assert.match(refused.err, /^error object-missing: .*\n {2}where: .*1\/0-0:96\.99\.0\*255\/2\n/);

  const port = String(meters[1]?.port);
  const at = ['--tcp', `127.0.0.1:${port}`, '--framing', 'hdlc'];
  const unknown = await runNormctl(['meter', 'objects', '--json', ...at]);
  assert.equal(unknown.status, 1);
  assert.equal(envelope(unknown.out).problems?.[0]?.code, 'association-refused');

  const free = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => free.once('listening', resolve));
  const nobody = `127.0.0.1:${(free.address() as AddressInfo).port}`;
  await new Promise((resolve) => free.close(resolve));
  const silent = await runNormctl(['meter', 'objects', '--tcp', nobody]);
  assert.equal(silent.status, 3);
  assert.match(silent.err, /^error connection-refused: /);

  const nowhere = await runNormctl(['meter', 'objects']);
  assert.equal(nowhere.status, 2);
  assert.match(nowhere.err, /--tcp or --udp HOST:PORT/);
});

test('a meter at the end of a serial line is asked', { skip: withoutSocat }, async () => {
  const line = join(folder, 'line');
  const meter = startNormctl(['sim', 'meter', '--pty', line, '--baud', '115200']);
  for await (const told of createInterface({ input: meter.stdout })) {
    if (told.endsWith(' came')) break;
  }
  const read = await runNormctl(['meter', 'read', 'clock', '--serial', line]);
  assert.deepEqual({ status: read.status, signal: read.signal }, { status: 0, signal: null });
  assert.match(read.out, /^0-0:1\.0\.0\*255 {2}\d{4}-/);
  const ended = endOf(meter);
  meter.kill('SIGINT');
  await ended;
});
