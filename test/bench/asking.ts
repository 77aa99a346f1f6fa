/**
 * Asks many meters in a process of its own: says that it is ready; told on which ports they are, it
 * associates with each and says so; at the next message it asks each of them every `EVERY_MS`,
 * evenly. Then it tells how long each answer took from when its question was due.
 */
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import type { MeterSession } from '#acquisition/meter-session.ts';
import { openMeterSession } from '#acquisition/meter-session.ts';
import { openLink } from '#link/open.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { LOWEST } from '#protocol/dlms/hls.ts';
import { get } from '#protocol/dlms/procedure.ts';
import { machineClock as clock } from '#system/clock.ts';
import { machineEntropy as entropy } from '#system/entropy.ts';

/** Ten a minute. */
const EVERY_MS = 6000;
const ROUNDS = 10;
/** So many associate at a time. */
const AT_ONCE = 50;
const ENERGY = { classId: 3, instanceId: obisFrom('1-0:1.8.0*255'), attributeId: 2 };

function sessionAt(port: number): MeterSession {
  return openMeterSession({
    link: openLink({ kind: 'tcp', host: '127.0.0.1', port }, { clock, entropy }),
    connect: () =>
      new DlmsClient({
        link: meterLinkOf({ framing: 'wrapper', client: 16, logical: 1 }),
        referencing: 'LN',
        authenticator: LOWEST,
      }),
    clock,
  });
}

process.send?.('ready');
const [ports] = (await once(process, 'message')) as [readonly number[]];
const sessions: MeterSession[] = [];
for (let from = 0; from < ports.length; from += AT_ONCE) {
  const some = ports.slice(from, from + AT_ONCE).map(sessionAt);
  await Promise.all(some.map((session) => session.run(get(ENERGY))));
  sessions.push(...some);
}
process.send?.('associated');
await once(process, 'message');

const startMs = performance.now();
const latencies = await Promise.all(
  sessions.map(async (session, index) => {
    const found: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const dueMs = startMs + round * EVERY_MS + (index * EVERY_MS) / sessions.length;
      await pause(Math.max(0, dueMs - performance.now()));
      await session.run(get(ENERGY));
      found.push(performance.now() - dueMs);
    }
    return found;
  }),
);
process.send?.(latencies.flat());
