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
import { seeded } from '../support/seeded.ts';

const skip =
  spawnSync('socat', ['-V']).status === 0 ? false : 'socat is missing: no pseudo-terminal';
const ROWS = 120;
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
  // The meter's time stands still, so that the profile is the same to the end.
  const objects = new CosemObjects({
    clock: new VirtualClock(),
    deviceName: 'NRM1',
    profileRows: ROWS,
  });
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
  const entropy = seeded(5);
  for (let kills = 0; kills <= KILLS; kills += 1) {
    const normd = launch({ runtime: nativeRuntime, file: MAIN }, file, socket);
    context.after(() => normd.end('SIGKILL'));
    const some = 1 + Math.floor(entropy.fraction() * READINGS_MAX);
    const last = kills === KILLS;
    await normd.until(({ sources: [one] }) => (last ? isWhole(one) : (one?.stored ?? 0) >= some));
    await normd.end(last ? 'SIGTERM' : 'SIGKILL');
  }
  const store = await openStore({ directory: join(folder, 'state', 'store') });
  context.after(() => store.close());
  const kept = await store.observations('meter', 0, 2 * ROWS);
  const seconds = kept.map(({ observation }) => decodeStored(observation).time.second);
  const [first = 0] = seconds;
  assert.deepEqual(
    seconds,
    Array.from({ length: ROWS }, (_, index) => first + index * 900),
  );
});

/** Before a kill: all of them together leave most of the profile for the last life. */
const READINGS_MAX = 24;
/** Of the newest row, by the meter's clock. */
const LAST_ROW = '2026-11-21T00:00:00';

function isWhole(source: SourceStatus | undefined): boolean {
  const times = source?.lastReadings.map(({ time }) => time) ?? [];
  return source?.stored === source?.taken && times.some((time) => time.startsWith(LAST_ROW));
}
