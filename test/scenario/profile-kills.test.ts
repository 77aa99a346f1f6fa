import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { SourceStatus } from '#control/status.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import { decodeStored } from '#reading/stored.ts';
import { startCosemMeter } from '#sim/cosem-meter.ts';
import { CosemObjects } from '#sim/cosem-objects.ts';
import { openStore } from '#store/open.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineClock } from '#system/clock.ts';
import { MAIN, launch } from '../support/gateway.ts';
import { nativeRuntime } from '../support/bundle.ts';

const skip =
  spawnSync('socat', ['-V']).status === 0 ? false : 'socat is missing: no pseudo-terminal';
/** Of which 256 are kept together. */
const ROWS = 1000;
const KILLS = 3;
const POLL_MS = 20;

/** A serial line, at whose other end is the meter at a TCP port. */
async function serialLine(context: TestContext, path: string, port: number): Promise<void> {
  const socat = spawn('socat', [`PTY,link=${path},rawer`, `TCP:127.0.0.1:${port}`]);
  context.after(() => socat.kill());
  while (!existsSync(path)) {
    assert.equal(socat.exitCode, null, 'socat runs');
    await pause(POLL_MS);
  }
}

test('a profile is whole, without repeats, however normd is killed', { skip }, async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'normd-profile-'));
  context.after(() => rm(folder, { recursive: true }));
  const theirs = new VirtualClock();
  const objects = new CosemObjects({ clock: theirs, deviceName: 'NRM1', profileRows: ROWS });
  const link = () => new HdlcServerLink({ server: { upper: 1, length: 1 } });
  const meter = await startCosemMeter({ clock: machineClock, objects, link, port: 0 });
  context.after(() => meter.stop());
  const path = join(folder, 'tty');
  await serialLine(context, path, meter.port);
  const socket = join(folder, 'control.sock');
  const source = {
    name: 'meter',
    protocol: 'dlms',
    link: { kind: 'serial', path, baud: 115_200 },
    read: { kind: 'profile', object: '1-0:99.1.0' },
  };
  const configuration = { gateway: 'g', state: 'state', control: { socket }, sources: [source] };
  const file = join(folder, 'normd.yaml');
  await writeFile(file, JSON.stringify(configuration));
  for (let kills = 0; kills <= KILLS; kills += 1) {
    const normd = launch({ runtime: nativeRuntime, file: MAIN }, file, socket);
    context.after(() => normd.end('SIGKILL'));
    // While it reads, or once it has kept something: one more row at least in each life.
    await normd.until(({ sources: [one] }) => {
      const early = kills % 2 === 0 && kills < KILLS && one?.link.state === 'up';
      return early || (one?.stored ?? 0) > 0;
    });
    if (kills === KILLS) await normd.until(({ sources: [one] }) => hasRowOf(theirs, one));
    await normd.end(kills < KILLS ? 'SIGKILL' : 'SIGTERM');
    if (kills < KILLS) theirs.advance(PERIOD_S * 1000);
  }
  const store = await openStore({ directory: join(folder, 'state', 'store') });
  context.after(() => store.close());
  const kept = await store.observations('meter', 0, 2 * ROWS);
  const seconds = kept.map(({ observation }) => decodeStored(observation).time.second);
  const newest = theirs.wall().second;
  assert.ok(seconds.length >= ROWS, `${seconds.length} rows`);
  assert.deepEqual(
    seconds,
    seconds.map((_, index) => newest - (seconds.length - 1 - index) * PERIOD_S),
  );
});

const PERIOD_S = 900;

function hasRowOf(theirs: VirtualClock, source: SourceStatus | undefined): boolean {
  const newest = new Date(theirs.wall().second * 1000).toISOString().slice(0, 19);
  return source?.lastReadings.some(({ time }) => time.startsWith(newest)) === true;
}
