import { fromHex } from '#bytes/hex.ts';
import type { ContentKey } from '#reading/senml.ts';
import { ChainCheck } from './chain-check.ts';
import type { Unchecked } from './chain-check.ts';
import type { Sha256 } from './chain.ts';
import { KeptRoom } from './kept-room.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { Gap, Manifest, StreamState } from './manifest.ts';
import { Ranges, countOf } from './ranges.ts';
import type { Range } from './ranges.ts';
import type { ReceivedStream } from './receipt.ts';

/** `up` carries everything in order, `lv` copies of what is new while there is a backlog. */
export type Lane = 'up' | 'lv';

/** Worst first; only the last is good. */
export type Verdict =
  | 'altered' // what came is not what the gateway sent, or one number came with two contents
  | 'missing' // numbers that the gateway has delivered have not come
  | 'unchecked' // all has come, but not in a form or order that proves it
  | 'no-manifest' // nothing says what should have come
  | 'open' // good as far as manifests say, and there is more: observations, or gaps to be named
  | 'complete';

export interface StreamReport {
  readonly gateway: string;
  readonly stream: string;
  readonly epoch: number;
  readonly class?: DeliveryClass;
  readonly verdict: Verdict;
  /** What has come, on either lane. */
  readonly received: readonly Range[];
  readonly observations: number;
  /** Observations that came again; expected, and to be dropped. */
  readonly repeats: number;
  /** Observations that came on the live lane before the ordered one brought them, if it did. */
  readonly live: number;
  /** Packs on `up` that brought something new after something later; one that fills a hole is. */
  readonly outOfOrder: number;
  /** Numbers that came with two contents. */
  readonly conflicts: number;
  /** Up to where the gateway says it has delivered; absent without a manifest. */
  readonly announced?: number;
  readonly gaps: readonly Gap[];
  /** Announced numbers that have not come and are in no gap. */
  readonly holes: readonly Range[];
  readonly proven: readonly Range[];
  /** Between two manifests, each: there the chain is another. */
  readonly broken: readonly Range[];
  readonly unchecked: readonly Range[];
  readonly stopped?: { readonly at: number; readonly reason: Unchecked };
  /** Observations that came after the last manifest: neither proven nor doubted. */
  readonly beyond: number;
}

/** What comes in order is one range; a stream in more pieces than this is not followed further. */
const RANGES_MAX = 10_000;
/** Years of a stream that loses something each day; each costs memory here and in its chain. */
const GAPS_MAX = 10_000;

/** One that leaves gaps to the next says by itself neither what is missing nor what is hashed. */
function isWhole({ gapsToCome = 0 }: StreamState): boolean {
  return gapsToCome === 0;
}

/** What has come of one stream and epoch, in any order, and how it stands to the manifests. */
export class StreamCheck {
  readonly #key: Pick<ContentKey, 'gateway' | 'stream' | 'epoch'>;
  readonly #sha256: Sha256;
  readonly #room: KeptRoom;
  readonly #received = new Ranges();
  readonly #ordered = new Ranges();
  readonly #gaps = new Map<number, Gap>();
  #chain: ChainCheck;
  #base = 0;
  #latest: { readonly number: number; readonly state: StreamState } | undefined;
  #announced = -1;
  #repeats = 0;
  #live = 0;
  #outOfOrder = 0;
  #conflicts = 0;

  /** `room` is shared by all streams of a receiver. */
  constructor(
    key: Pick<ContentKey, 'gateway' | 'stream' | 'epoch'>,
    sha256: Sha256,
    room = new KeptRoom(),
  ) {
    this.#key = key;
    this.#sha256 = sha256;
    this.#room = room;
    this.#chain = new ChainCheck(sha256, (sequence) => this.#received.has(sequence), room);
  }

  /**
   * Takes a payload; `forms` is absent where it was JSON. Answers `false` if it was passed over,
   * because the stream is in too many pieces.
   */
  take(
    lane: Lane,
    sequence: number,
    count: number,
    forms: readonly Uint8Array[] | undefined,
  ): boolean {
    const through = sequence + count - 1;
    const fresh = countOf(this.#received.missing(sequence, through));
    if (fresh > 0 && this.#received.list.length >= RANGES_MAX) return false;
    const ordered = lane === 'lv' || this.#ordered.missing(sequence, through).length === 0;
    if (!ordered && this.#ordered.list.length >= RANGES_MAX) return false;
    this.#repeats += count - fresh;
    if (lane === 'lv') this.#live += fresh;
    else this.#takeOrdered(sequence, through);
    this.#received.add(sequence, through);
    for (const [index, form] of (forms ?? []).entries()) {
      if (this.#chain.take(sequence + index, form) === 'conflict') this.#conflicts += 1;
    }
    this.#chain.settle();
    return true;
  }

  /**
   * `given`: what came before the first manifest is not asked for. Answers `false` if it was passed
   * over, because the stream has too many gaps.
   */
  manifest({ number }: Manifest, state: StreamState, given: boolean): boolean {
    const anew = state.gaps.filter(({ from }) => !this.#gaps.has(from)).length;
    if (anew > 0 && this.#gaps.size + anew > GAPS_MAX) return false;
    const chain = state.chain === undefined ? undefined : fromHex(state.chain);
    const first = this.#latest === undefined && !this.#received.has(0);
    if (given && first && chain !== undefined) this.#begin(state, chain);
    if (this.#latest === undefined || number >= this.#latest.number) {
      this.#latest = { number, state };
    }
    for (const gap of state.gaps) {
      this.#name(gap);
      this.#chain.gap(gap.from, gap.through);
    }
    if (isWhole(state)) {
      this.#announced = Math.max(this.#announced, state.through);
      if (chain !== undefined) this.#chain.point(state.through, chain);
    }
    this.#chain.settle();
    return true;
  }

  report(): StreamReport {
    const { proven, broken, unchecked, stopped } = this.#chain.verdict();
    const priority = this.#latest?.state.class;
    return {
      ...this.#key,
      ...(priority === undefined ? {} : { class: priority }),
      verdict: this.#verdict(),
      received: this.#received.list,
      observations: this.#received.size,
      repeats: this.#repeats,
      live: this.#live,
      outOfOrder: this.#outOfOrder,
      conflicts: this.#conflicts,
      ...(this.#latest === undefined ? {} : { announced: this.#announced }),
      gaps: [...this.#gaps.values()].sort((one, other) => one.from - other.from),
      holes: this.#holes(this.#announced),
      proven: proven.list,
      broken: broken.list,
      unchecked: unchecked.list,
      ...(stopped === undefined ? {} : { stopped }),
      beyond: this.#beyond(),
    };
  }

  /** What a back-end that has stored all this may tell the gateway. */
  receipt(): ReceivedStream {
    const { stream, epoch } = this.#key;
    const through = this.#received.last;
    return { stream, epoch, through, holes: this.#holes(through) };
  }

  /** A gap only grows: a manifest that comes late may say less than is known. */
  #name(gap: Gap): void {
    const known = this.#gaps.get(gap.from);
    if (known === undefined || known.through < gap.through) this.#gaps.set(gap.from, gap);
  }

  #takeOrdered(from: number, through: number): void {
    const fresh = this.#ordered.missing(from, through);
    if (fresh.length > 0 && from < this.#ordered.last) this.#outOfOrder += 1;
    this.#ordered.add(from, through);
  }

  /** What the first manifest counts as delivered is taken as given. */
  #begin({ through }: StreamState, chain: Uint8Array): void {
    this.#base = through + 1;
    const start = { through, chain };
    const isReceived = (at: number): boolean => this.#received.has(at);
    this.#chain.end();
    this.#chain = new ChainCheck(this.#sha256, isReceived, this.#room, start);
  }

  #verdict(): Verdict {
    const { proven, broken } = this.#chain.verdict();
    if (this.#conflicts > 0 || broken.size > 0) return 'altered';
    if (this.#latest === undefined) return 'no-manifest';
    if (this.#holes(this.#announced).length > 0) return 'missing';
    if (proven.missing(this.#base, this.#announced).length > 0) return 'unchecked';
    const open = this.#beyond() > 0 || !isWhole(this.#latest.state);
    return open ? 'open' : 'complete';
  }

  #beyond(): number {
    const last = this.#received.last;
    if (last <= this.#announced) return 0;
    const from = this.#announced + 1;
    return last - from + 1 - countOf(this.#received.missing(from, last));
  }

  #holes(through: number): readonly Range[] {
    const named = new Ranges();
    for (const gap of this.#gaps.values()) named.add(gap.from, gap.through);
    return this.#received
      .missing(this.#base, through)
      .flatMap(([from, last]) => named.missing(from, last));
  }
}
