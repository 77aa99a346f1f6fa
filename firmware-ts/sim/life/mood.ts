import type { Chance } from './chance.ts';

/** How a broker, or the way to it, behaves for a while. */
export type Mood =
  | { readonly kind: 'well' }
  /** Nothing listens. */
  | { readonly kind: 'down' }
  /** Connections open and nothing ever comes back: half-open TCP, a hung broker. */
  | { readonly kind: 'silent' }
  /** Something else answers and does not speak TLS. */
  | { readonly kind: 'portal' }
  /** Goes and comes. */
  | { readonly kind: 'flapping'; readonly periodMs: number }
  /** Each message is refused with this reason code (MQTT 5.0, 2.4). */
  | { readonly kind: 'refusing'; readonly reasonCode: number }
  /** Some messages are refused for what they are. */
  | { readonly kind: 'picky' }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** Of so many messages the acknowledgement is lost. */
  | { readonly kind: 'forgetful'; readonly share: number }
  | { readonly kind: 'hanging-up'; readonly share: number }
  /** Takes no larger packets. */
  | { readonly kind: 'small'; readonly packetBytesMax: number };

export const WELL: Mood = { kind: 'well' };

const NOT_AUTHORISED = 0x87;
const QUOTA_EXCEEDED = 0x97;

/** One of all moods but the good one. */
export function someMood(chance: Chance): Mood {
  const moods: readonly [() => Mood, ...(() => Mood)[]] = [
    () => ({ kind: 'down' }),
    () => ({ kind: 'down' }),
    () => ({ kind: 'silent' }),
    () => ({ kind: 'portal' }),
    () => ({ kind: 'flapping', periodMs: chance.widely(1000, 3_600_000) }),
    () => ({ kind: 'refusing', reasonCode: chance.pick([NOT_AUTHORISED, QUOTA_EXCEEDED]) }),
    () => ({ kind: 'picky' }),
    () => ({ kind: 'slow', delayMs: chance.widely(200, 60_000) }),
    () => ({ kind: 'forgetful', share: chance.fraction() }),
    () => ({ kind: 'hanging-up', share: chance.fraction() }),
    () => ({ kind: 'small', packetBytesMax: chance.between(300, 3000) }),
  ];
  return chance.pick(moods)();
}
