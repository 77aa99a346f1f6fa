import { failureOf, type Failure } from '#bytes/failure.ts';
import type { Dial } from './session.ts';

const FLOOD = 'broker-flood';

/**
 * The same dial, but that the session after one that listened and was flooded does not listen, and
 * its subscription is told why. What floods may be a retained message, which would come with each
 * subscription until somebody removes it; the session after that finds out.
 */
export function withoutFlood(dial: Dial): Dial {
  let flood: Failure | undefined;
  const note = (failure: Failure): void => {
    if (failure.code === FLOOD) flood = failure;
  };
  return async (dialing) => {
    const { subscription, ...deaf } = dialing;
    if (subscription === undefined) return dial(dialing);
    if (flood !== undefined) {
      const session = await dial(deaf);
      subscription.refused(flood);
      flood = undefined;
      return session;
    }
    const dialled = dial(dialing);
    dialled.then(
      ({ lost }) => void lost.then(note),
      (error: unknown) => note(failureOf(error)),
    );
    return dialled;
  };
}
