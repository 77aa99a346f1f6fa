import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { piecesOf } from '#bytes/capture.ts';
import { OperatingError } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import { traceHead, traceLine, octetsOfTrace } from '#bytes/trace.ts';
import { readCapture } from '#link/capture.ts';
import type { LinkOwner, StreamHandler } from '#link/link.ts';
import { tracing } from '#link/trace.ts';
import { wrapperServerLink } from '#protocol/wrapper/link.ts';
import { startCosemMeter } from '#sim/cosem-meter.ts';
import { CosemObjects } from '#sim/cosem-objects.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineClock } from '#system/clock.ts';
import { runNormctl, runNormctlWithLittleRoom } from '../support/command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'normd-trace-'));
after(() => rmSync(folder, { recursive: true }));

const PASSWORD = Uint8Array.from(Buffer.from('Gurux-1234'));
const HEAD = traceHead('2026-11-21T12:00:00.000Z');

/** What a trace of these frames says, each sent and received once. */
function traceOf(frames: readonly Uint8Array[]): string {
  const lines: string[] = [];
  const clock = new VirtualClock();
  const opened: LinkOwner[] = [];
  const bare = {
    open: (owner: LinkOwner) => void opened.push(owner),
    close: () => Promise.resolve(),
  };
  const handler: StreamHandler = { chunk: () => undefined, down: () => undefined };
  const write = (line: string): void => void lines.push(line);
  tracing({ clock, secrets: [PASSWORD], write })(bare).open({
    up: (stream) => {
      for (const frame of frames) stream.send(frame);
      return handler;
    },
    waiting: () => undefined,
    ended: () => undefined,
  });
  const peer = 'a meter';
  const stream = opened[0]?.up({ peer, send: () => undefined, reset: () => undefined });
  for (const frame of frames) stream?.chunk(frame);
  return lines.join('\n');
}

test('no password is in a trace, whole or cut in two by the end of a frame', () => {
  const around = Uint8Array.of(0x80, 10);
  const whole = Uint8Array.from([...around, ...PASSWORD, 0xbe]);
  const first = Uint8Array.from([...around, ...PASSWORD.subarray(0, 5)]);
  const second = Uint8Array.from([...PASSWORD.subarray(5), 0xbe]);
  const text = traceOf([whole, first, second]);
  const pieces = octetsOfTrace(text);
  assert.deepEqual(
    pieces?.slice(0, 3).map(({ bytes }) => toHex(bytes).toLowerCase()),
    [`800a${'00'.repeat(10)}be`, `800a${'00'.repeat(5)}`, `${'00'.repeat(5)}be`],
  );
  assert.equal(pieces.length, 6);
  for (const line of text.split('\n').slice(2)) assert.match(line, /"masked":true/);
});

test('a trace is read back octet for octet, and a last line cut in half is passed over', () => {
  const bytes = Uint8Array.of(0, 1, 0, 16, 0, 1, 0, 1, 0xc0);
  const line = traceLine({ t: 12, dir: 'rx', bytes, masked: false });
  const text = [HEAD, traceLine({ t: 0, event: 'up', text: 'x' }), line, line.slice(0, 20)].join(
    '\n',
  );
  const pieces = piecesOf(Buffer.from(text), (all) => new TextDecoder().decode(all));
  assert.deepEqual([...(pieces ?? [])], [{ stream: 'rx', atMs: 12, bytes, gap: 0, masked: false }]);
});

test('a trace of another version, or with a line that is no JSON, is refused', () => {
  const broken = [HEAD.replace('1', '2'), `${HEAD}\nnonsense\n`, `${HEAD}\n{"hex":"00"}\n`];
  for (const text of broken) {
    assert.throws(
      () => octetsOfTrace(text),
      (error) => {
        return error instanceof OperatingError && error.code === 'bad-vector';
      },
    );
  }
});

test('what normctl says with a meter is recorded, never over another file', async () => {
  const clock = machineClock;
  const objects = new CosemObjects({ clock, deviceName: 'NRM0000000000001', profileRows: 4 });
  const link = () => wrapperServerLink({ client: 16, server: 1 });
  await using meters = new AsyncDisposableStack();
  const meter = await startCosemMeter({ clock, objects, link, port: 0, password: PASSWORD });
  meters.defer(() => meter.stop());
  const password = join(folder, 'password');
  writeFileSync(password, PASSWORD, { mode: 0o600 });
  const file = join(folder, 'read.trace');
  const at = ['--tcp', `127.0.0.1:${meter.port}`, '--password-file', password, '--trace', file];
  const read = await runNormctl(['meter', 'read', '3/1-0:32.7.0/2', ...at]);
  assert.equal(read.status, 0, read.err);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const text = readFileSync(file, 'latin1');
  assert.ok(!text.toLowerCase().includes(toHex(PASSWORD).toLowerCase()));
  const heard = await readCapture(file);
  assert.ok(heard.length >= 2);
  assert.equal(heard[0]?.bytes[8], 0x61, 'an AARE behind the head of the wrapper');
  const again = await runNormctl(['meter', 'clock', ...at]);
  assert.equal(again.status, 2);
  assert.match(again.err, /^error unwritable-file: /);
});

test('a trace that the disk has no room for breaks off, and the meter is asked on', async () => {
  const clock = machineClock;
  const objects = new CosemObjects({ clock, deviceName: 'NRM0000000000001', profileRows: 100 });
  const link = () => wrapperServerLink({ client: 16, server: 1 });
  await using meters = new AsyncDisposableStack();
  const meter = await startCosemMeter({ clock, objects, link, port: 0 });
  meters.defer(() => meter.stop());
  const file = join(folder, 'cut.trace');
  const words = ['meter', 'profile', '1-0:99.1.0', '--tcp', `127.0.0.1:${meter.port}`];
  const read = await runNormctlWithLittleRoom([...words, '--trace', file], 4096);
  assert.equal(read.status, 0, read.err);
  assert.equal(read.out.trim().split('\n').length, 100);
  assert.equal(read.err.match(/^error trace-cut: /gm)?.length, 1);
  assert.ok(octetsOfTrace(readFileSync(file, 'latin1')), 'what was written can be read');
});
