import { advance, chainStart } from './chain.ts';
import type { Sha256 } from './chain.ts';
import type { Judged } from './judgement.ts';
import { Judgement } from './judgement.ts';
import { KeptRoom } from './kept-room.ts';
import { Ranges } from './ranges.ts';

/** Why an interval between two manifests could not be judged. */
export type Unchecked =
  | 'missing' // an observation of it has not come
  | 'not-kept'; // it came, but in JSON, or more than memory takes had come before what it waits for

export interface ChainVerdict {
  /** Intervals whose chain is that of the manifest at their end. */
  readonly proven: Ranges;
  /** Intervals in which something was altered, by someone or on the way. */
  readonly broken: Ranges;
  /** Where checking stopped, if manifests go further. */
  readonly stopped?: { readonly at: number; readonly reason: Unchecked };
  readonly unchecked: Ranges;
}

/**
 * Forms of one stream that wait for the manifest that covers them: ten minutes of a PMU at 50
 * frames a second are ten megabytes.
 */
const KEPT_BYTES_MAX = 16 << 20;
/** What a map entry and an array cost beside their content. */
const ENTRY_BYTES = 128;
/** Manifests that wait for their observations; beyond, the oldest is left to the one after it. */
const POINTS_MAX = 256;

interface Point {
  readonly through: number;
  readonly chain: Uint8Array;
}

/**
 * Judges the intervals between the manifests of one stream and epoch, in bounded memory. Forms are
 * kept until the manifest that covers them has told which numbers of theirs count as gaps; when
 * memory is full the oldest are hashed without waiting, and what comes late may be beyond proof.
 */
export class ChainCheck {
  readonly #room: KeptRoom;
  readonly #sha256: Sha256;
  readonly #isReceived: (sequence: number) => boolean;
  readonly #gaps = new Ranges();
  readonly #kept = new Map<number, Uint8Array>();
  #keptBytes = 0;
  /** Manifests ahead of what is judged, in order. */
  readonly #points: Point[] = [];
  /** The last manifest that was judged or taken as given. */
  #judged: Point;
  /** The chain as far as it has been computed from there. */
  #at: number;
  #chain: Uint8Array;
  /** A gap was named over what had already been hashed. */
  #spoiled = false;
  readonly #judgement = new Judgement();

  /** `room` is shared by all streams of a receiver. */
  constructor(
    sha256: Sha256,
    isReceived: (sequence: number) => boolean,
    room = new KeptRoom(),
    start?: Point,
  ) {
    this.#room = room;
    this.#sha256 = sha256;
    this.#isReceived = isReceived;
    this.#judged = start ?? { through: -1, chain: chainStart() };
    this.#at = this.#judged.through;
    this.#chain = this.#judged.chain;
  }

  /** Takes an observation; `conflict` if it came before with another content. */
  take(sequence: number, form: Uint8Array): 'conflict' | 'good' {
    const known = this.#kept.get(sequence);
    if (known !== undefined) return isEqual(known, form) ? 'good' : 'conflict';
    if (sequence <= this.#at) return 'good';
    this.#kept.set(sequence, new Uint8Array(form)); // a view would hold its whole payload
    this.#hold(form.length + ENTRY_BYTES);
    return 'good';
  }

  /** The caller bounds how many there are. */
  gap(from: number, through: number): void {
    const fresh = this.#gaps.missing(from, through);
    this.#spoiled ||= fresh.some(([start]) => start <= this.#at && start > this.#judged.through);
    this.#gaps.add(from, through);
  }

  /** What a manifest says: the chain at `through`. Its gaps have been named before. */
  point(through: number, chain: Uint8Array): void {
    const same = [this.#judged, ...this.#points].find((point) => point.through === through);
    if (same !== undefined) {
      const at = Math.max(0, through);
      if (!isEqual(same.chain, chain)) this.#judgement.add('broken', at, at);
    } else if (through > this.#at) {
      const after = this.#points.findIndex((point) => point.through > through);
      this.#points.splice(after < 0 ? this.#points.length : after, 0, { through, chain });
      if (this.#points.length > POINTS_MAX) this.#points.shift();
    }
  }

  /** Goes as far as what has arrived allows. */
  settle(): void {
    for (;;) {
      const point = this.#points[0];
      if (point !== undefined && this.#hash(point.through)) this.#judge(point);
      else if (!this.#isFull) return;
      else if (point === undefined) this.#makeRoom();
      else this.#pass(point);
    }
  }

  /** Gives its room back: it is asked no more. */
  end(): void {
    this.#hold(-this.#keptBytes);
    this.#kept.clear();
  }

  verdict(): ChainVerdict {
    const { proven, broken, unchecked } = this.#judgement;
    const verdict = { proven, broken, unchecked };
    return this.#points.length === 0 ? verdict : { ...verdict, stopped: this.#obstacle() };
  }

  /** Others may have taken the room: then nothing of this one waits. */
  get #isFull(): boolean {
    return this.#keptBytes > (this.#room.isFull ? 0 : KEPT_BYTES_MAX);
  }

  #hold(bytes: number): void {
    this.#keptBytes += bytes;
    this.#room.take(bytes);
  }

  /** Moves the chain on to `end`, or to the first number that is not at hand. */
  #hash(end: number): boolean {
    while (this.#at < end) {
      const gap = this.#gaps.at(this.#at + 1);
      if (gap !== undefined) this.#skip(Math.min(gap[1], end));
      else if (!this.#hashNext()) return false;
    }
    return true;
  }

  #hashNext(): boolean {
    const next = this.#at + 1;
    const form = this.#kept.get(next);
    if (form === undefined) return false;
    this.#chain = advance(this.#sha256, this.#chain, next, form);
    this.#drop(next);
    this.#at = next;
    return true;
  }

  /** What has come and counts as a gap is not in the chain. */
  #skip(through: number): void {
    if (through - this.#at > this.#kept.size) {
      for (const sequence of this.#kept.keys()) if (sequence <= through) this.#drop(sequence);
    } else for (let at = this.#at + 1; at <= through; at += 1) this.#drop(at);
    this.#at = through;
  }

  #judge(point: Point): void {
    const good = isEqual(this.#chain, point.chain);
    this.#close(point, good ? 'proven' : this.#spoiled ? 'unchecked' : 'broken');
  }

  /** Gives an interval up, so that what follows can be judged. */
  #pass(point: Point): void {
    this.#skip(point.through);
    this.#close(point, 'unchecked');
  }

  #close(point: Point, verdict: Judged): void {
    const from = this.#judged.through + 1;
    if (from <= point.through) this.#judgement.add(verdict, from, point.through);
    this.#points.shift();
    this.#judged = point;
    this.#chain = point.chain;
    this.#spoiled = false;
  }

  /** No manifest ahead: hashes the oldest, or where one is missing lets go of the newest. */
  #makeRoom(): void {
    while (this.#isFull) {
      const gap = this.#gaps.at(this.#at + 1);
      if (gap !== undefined) this.#skip(gap[1]);
      else if (!this.#hashNext()) this.#dropNewest();
    }
  }

  /** Half of it, since to find the newest all are looked at. */
  #dropNewest(): void {
    const newest = [...this.#kept.keys()].sort((a, b) => b - a);
    for (const sequence of newest.slice(0, Math.ceil(newest.length / 2))) this.#drop(sequence);
  }

  #drop(sequence: number): void {
    const form = this.#kept.get(sequence);
    if (form === undefined) return;
    this.#kept.delete(sequence);
    this.#hold(-form.length - ENTRY_BYTES);
  }

  #obstacle(): { readonly at: number; readonly reason: Unchecked } {
    const at = this.#at + 1;
    return { at, reason: this.#isReceived(at) ? 'not-kept' : 'missing' };
  }
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
