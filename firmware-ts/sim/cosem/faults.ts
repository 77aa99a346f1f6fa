import { OperatingError } from '#bytes/failure.ts';
import type { Link } from '#link/link.ts';
import type { Clock } from '#system/clock.ts';
import type { Chance } from '../life/chance.ts';
import type { Between } from './around.ts';
import { around } from './around.ts';

/** What is wrong with a simulated meter, or with its line. */
export interface Faults {
  /** Probability that octets of no meaning come before a frame. */
  readonly noise: number;
  /** The line gives back what is sent into it. */
  readonly echo: boolean;
  /** Milliseconds until the meter answers. */
  readonly delay: number;
  /** Probability that a frame of the meter does not arrive. */
  readonly lost: number;
  /** Probability that a bit of a frame's check sequence, or else its end, is wrong. */
  readonly fcs: number;
  /** Once, the meter wants to see an invocation counter that is higher by so much. */
  readonly counter: number;
}

const NONE: Faults = { noise: 0, echo: false, delay: 0, lost: 0, fcs: 0, counter: 0 };
const MOST = { noise: 1, delay: 600_000, lost: 1, fcs: 1, counter: 1_000_000 } as const;

/** `noise:0.05,delay:300,echo`. Errors: `usage`. */
export function faultsFrom(text: string): Faults {
  const named = text.split(',').filter((word) => word !== '');
  return Object.assign({}, NONE, ...named.map(faultFrom)) as Faults;
}

function faultFrom(word: string): Partial<Faults> {
  if (word === 'echo') return { echo: true };
  const [, name = '', number = ''] = /^([a-z]+):(\d+(?:\.\d+)?)$/.exec(word) ?? [];
  const most = Object.entries(MOST).find(([one]) => one === name)?.[1];
  if (most !== undefined && Number(number) <= most) return { [name]: Number(number) };
  throw new OperatingError('usage', `${JSON.stringify(word)} is no fault`, {
    hint: 'noise:0.05, echo, delay:300, lost:0.02, fcs:0.02 or counter:1000, with commas between',
  });
}

export interface FaultyParts {
  readonly clock: Clock;
  readonly chance: Chance;
}

/** The link of a meter with these faults; each frame that it sends is drawn for by itself. */
export function faulty(link: Link, faults: Faults, parts: FaultyParts): Link {
  return around(link, () => faultyBetween(faults, parts));
}

const NOISE_BYTES_MAX = 8;
const FCS_FROM_END = 3;

function faultyBetween(faults: Faults, { clock, chance }: FaultyParts): Between {
  const pending = new Set<() => void>();
  const later = (act: () => void): void => {
    if (faults.delay === 0) {
      act();
      return;
    }
    const cancel = clock.after(faults.delay, () => {
      pending.delete(cancel);
      act();
    });
    pending.add(cancel);
  };
  return {
    send(bytes, on) {
      if (chance.happens(faults.lost)) return;
      const noisy = chance.happens(faults.noise);
      const noise = noisy ? chance.bytes(1 + chance.below(NOISE_BYTES_MAX)) : undefined;
      const frame = chance.happens(faults.fcs) ? damaged(bytes, chance) : bytes.slice();
      later(() => {
        if (noise !== undefined) on(noise);
        on(frame);
      });
    },
    receive(bytes, on, back) {
      if (faults.echo) back(bytes.slice());
      on(bytes);
    },
    end() {
      for (const cancel of pending) cancel();
    },
  };
}

/** The flag stands last, and two octets of check before it. */
function damaged(bytes: Uint8Array, chance: Chance): Uint8Array {
  const copy = bytes.slice();
  const at = Math.max(0, copy.length - FCS_FROM_END);
  copy[at] = (copy[at] ?? 0) ^ (1 << chance.below(8));
  return copy;
}
