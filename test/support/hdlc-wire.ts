import type { Step } from '#protocol/connection.ts';
import type { ApduLink, ApduLinkMessage } from '#protocol/dlms/apdu-link.ts';
import type { Entropy } from '#system/entropy.ts';

/** How often, of one, a frame is hit. Frames never overtake each other: a line is no network. */
export interface WireFaults {
  readonly drop: number;
  readonly damage: number;
  readonly duplicate: number;
  /** Up to so many milliseconds late. */
  readonly delayMs: number;
  readonly cut: boolean;
}

export const GOOD_WIRE: WireFaults = { drop: 0, damage: 0, duplicate: 0, delayMs: 0, cut: false };

interface Arrival {
  readonly at: number;
  readonly to: WireEnd;
  readonly bytes: Uint8Array;
}

/** One station at the wire, and what becomes of what it tells. */
export interface WireEnd {
  readonly link: ApduLink;
  told(event: Step<ApduLinkMessage>['events'][number], at: number): void;
}

/** Two links on one line, with a clock of its own. */
export class HdlcWire {
  readonly #faults: WireFaults;
  readonly #entropy: Entropy;
  readonly #ends: readonly [WireEnd, WireEnd];
  #queue: Arrival[] = [];
  now = 0;
  /** Frames that went over it. */
  frames = 0;

  constructor(ends: readonly [WireEnd, WireEnd], faults: WireFaults, entropy: Entropy) {
    this.#ends = ends;
    this.#faults = faults;
    this.#entropy = entropy;
  }

  /** A step of one end: its frames go on the wire, its events to whoever listens. */
  take(from: WireEnd, { send, events }: Step<ApduLinkMessage>): void {
    const to = from === this.#ends[0] ? this.#ends[1] : this.#ends[0];
    for (const bytes of send) this.#carry(bytes, to);
    for (const event of events) from.told(event, this.now);
  }

  /** The next arrival or time-out; `false` when nothing will ever happen again. */
  advance(): boolean {
    const [next] = this.#queue;
    const waiting = this.#ends.toSorted((a, b) => a.link.deadline - b.link.deadline)[0];
    const deadline = waiting?.link.deadline ?? Infinity;
    if (next !== undefined && next.at <= deadline) {
      this.#queue.shift();
      this.now = Math.max(this.now, next.at);
      this.take(next.to, next.to.link.receive(next.bytes, this.now));
      return true;
    }
    if (waiting === undefined || deadline === Infinity) return false;
    this.now = Math.max(this.now, deadline);
    this.take(waiting, waiting.link.expire(this.now));
    return true;
  }

  #carry(bytes: Uint8Array, to: WireEnd): void {
    const { drop, damage, duplicate } = this.#faults;
    this.frames += 1;
    if (this.#entropy.fraction() < drop) return;
    const carried = bytes.slice();
    if (this.#entropy.fraction() < damage) {
      const place = Math.floor(this.#entropy.fraction() * carried.length);
      carried[place] = (carried[place] ?? 0) ^ (1 << Math.floor(this.#entropy.fraction() * 8));
    }
    const copies = this.#entropy.fraction() < duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) this.#arrive(carried, to);
  }

  #arrive(bytes: Uint8Array, to: WireEnd): void {
    const late = this.#entropy.fraction() * this.#faults.delayMs;
    const latest = this.#queue.findLast((one) => one.to === to)?.at ?? 0;
    const at = Math.max(latest, this.now + late);
    for (let start = 0; start < bytes.length;) {
      const share = this.#faults.cut ? 1 + Math.floor(this.#entropy.fraction() * 40) : Infinity;
      this.#queue.push({ at, to, bytes: bytes.subarray(start, start + share) });
      start += share;
    }
    this.#queue.sort((a, b) => a.at - b.at);
  }
}
