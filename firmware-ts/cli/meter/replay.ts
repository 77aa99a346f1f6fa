import { StreamLoop } from '#acquisition/stream-loop.ts';
import { errorOf } from '#bytes/failure.ts';
import type { Link } from '#link/link.ts';
import { openLink } from '#link/open.ts';
import type { ConnectionEvent } from '#protocol/connection.ts';
import type { LockStepMessage, Turn } from '#protocol/lock-step.ts';
import { LockStep } from '#protocol/lock-step.ts';
import { machineClock as clock } from '#system/clock.ts';
import { machineEntropy as entropy } from '#system/entropy.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonLine } from '../report.ts';
import { turnsIn } from '../sim/recorded.ts';
import { saidInLockStep } from '../sim/view.ts';
import { linkOptionsOf, meterVerb } from './session.ts';

/** `normctl meter replay FILE`: a line a turn. */
export const meterReplay = meterVerb(async (invocation, terminal) => {
  const turns = turnsIn(invocation.arguments[0] ?? '');
  const link = openLink(linkOptionsOf(invocation.options), { clock, entropy });
  const differing = new Set<number>();
  const told = (event: ConnectionEvent<LockStepMessage>): void => {
    if (event.kind === 'message' && 'differsAt' in event.message) {
      differing.add(event.message.turn);
    }
    const said = saidInLockStep(event);
    if (invocation.json) terminal.out(jsonLine(event.kind === 'message' ? event.message : said));
    else terminal.out(`${said.kind} ${said.why}`.trimEnd());
  };
  try {
    await conversation(link, turns, told);
  } finally {
    await link.close();
  }
  return differing.size === 0 ? EXIT.ok : EXIT.notGood;
});

/** Errors: those of the link, `no-answer`. */
function conversation(
  link: Link,
  turns: readonly Turn[],
  told: (event: ConnectionEvent<LockStepMessage>) => void,
): Promise<undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  link.open({
    up(stream) {
      const loop = new StreamLoop(stream, new LockStep(turns, 'client'), clock, (event) => {
        told(event);
        if (event.kind === 'stalled') reject(errorOf(event.failure));
        if (event.kind === 'message' && event.message.kind === 'over') resolve(undefined);
      });
      loop.start();
      return {
        chunk: (bytes) => loop.receive(bytes),
        down(failure) {
          loop.end();
          reject(errorOf(failure ?? ENDED));
        },
      };
    },
    waiting: (failure) => reject(errorOf(failure)),
    ended: () => reject(errorOf(ENDED)),
  });
  return promise;
}

const ENDED = { code: 'connection-lost', message: 'the meter has ended the conversation' };
