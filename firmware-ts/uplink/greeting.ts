import type { Failure } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import { tooLargeFor } from './packet.ts';
import type { Message, Session } from './session.ts';
import { within } from './stop.ts';

/** The broker owes an answer to the birth; one that is silent for so long is gone. */
const GREETING_WAIT_MS = 30_000;
/** What is in flight has this long to be acknowledged when we leave. */
const DRAIN_WAIT_MS = 5000;
/** The manifest, the goodbye and the broker's closing of the connection, each. */
const GOODBYE_WAIT_MS = 2000;

/** A session that we ended ourselves. */
export const LEFT: Failure = { code: 'stopped', message: 'stopped' };

/** Publishes what the broker can take, and answers whether it did; `refused` is told why not. */
export function published(
  session: Session,
  message: Message,
  refused: (refusal: Failure) => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const answered = (refusal?: Failure): void => {
      if (refusal !== undefined) refused(refusal);
      resolve(refusal === undefined);
    };
    const failure = tooLargeFor(session, message);
    if (failure === undefined) session.publish(message, answered);
    else answered(failure);
  });
}

/** The birth is answered before anything else goes, since it takes a place in flight, too. */
export async function greet(
  session: Session,
  clock: Clock,
  birth: Promise<unknown>,
): Promise<void> {
  const cancel = clock.after(GREETING_WAIT_MS, () =>
    session.abort({ code: 'broker-silent', message: 'the broker did not answer the birth' }),
  );
  await Promise.race([birth, session.lost]);
  cancel();
}

export interface LastWords {
  readonly drained: Promise<unknown>;
  readonly standing: () => Promise<unknown>;
  /** `undefined` where the broker can receive nothing more: then its will tells. */
  readonly goodbye: () => Promise<unknown> | undefined;
}

/** Waits for what is in flight, says the last words and closes, each for a bounded time. */
export async function leave(
  session: Session,
  clock: Clock,
  { drained, standing, goodbye }: LastWords,
): Promise<void> {
  await within(clock, DRAIN_WAIT_MS, [drained, session.lost]);
  await within(clock, GOODBYE_WAIT_MS, [standing(), session.lost]);
  const said = goodbye();
  if (said !== undefined) {
    await within(clock, GOODBYE_WAIT_MS, [said, session.lost]);
    await within(clock, GOODBYE_WAIT_MS, [session.close(), session.lost]);
  }
  session.abort(LEFT);
}
