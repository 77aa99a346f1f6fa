import type { Failure } from '#bytes/failure.ts';

/** What a framer found, in the order of the stream; offsets count the bytes since it was made. */
export type FramerEvent<Frame> =
  | {
      readonly kind: 'frame';
      readonly offset: number;
      readonly length: number;
      readonly frame: Frame;
    }
  | {
      readonly kind: 'discarded';
      readonly offset: number;
      readonly length: number;
      readonly failure: Failure;
    };

/** Cuts a stream into frames. Chunks may have any size; what is kept is copied and bounded. */
export interface Framer<Frame> {
  push(chunk: Uint8Array): readonly FramerEvent<Frame>[];
  /** The line fell silent: what is unfinished will not be finished. */
  flush(): readonly FramerEvent<Frame>[];
  /** Bytes held back: of a frame that is not yet whole, or skipped and not yet reported. */
  readonly pending: number;
}

/**
 * What a recogniser says of the bytes from `start` to `end`: a frame of so many bytes, `wait` for
 * `need` bytes in all, or `skip` so many that begin no frame.
 */
export type Verdict<Frame> =
  | { readonly kind: 'frame'; readonly length: number; readonly frame: Frame }
  | { readonly kind: 'wait'; readonly need: number }
  | { readonly kind: 'skip'; readonly length: number; readonly failure?: Failure }
  /** Bytes without meaning that belong there: flags between frames. */
  | { readonly kind: 'fill'; readonly length: number };

/** Judges the bytes at `start`; `final` means that no more will come, so it must not wait. */
export type Recogniser<Frame> = (
  bytes: Uint8Array,
  start: number,
  end: number,
  final: boolean,
) => Verdict<Frame>;

const NOTHING: readonly never[] = [];
const INITIAL_BYTES = 256;
const NOISE: Failure = { code: 'noise', message: 'bytes between frames' };

/**
 * A framer from a recogniser. Skipped bytes are gathered into one event, which is given at the
 * next frame, at a failure of another kind, at silence, or when it has grown to `capacity`: so that
 * the events do not depend on how the stream was cut into chunks, and rubbish makes few of them.
 */
export class StreamFramer<Frame> implements Framer<Frame> {
  readonly #recognise: Recogniser<Frame>;
  readonly #capacity: number;
  #buffer = new Uint8Array(INITIAL_BYTES);
  #start = 0;
  #end = 0;
  #need = 1;
  /** Stream offset of the buffer's first byte. */
  #base = 0;
  #skipped = 0;
  #failure: Failure | undefined;

  /** `capacity` is the longest frame with its flags; the buffer grows to twice that, no more. */
  constructor(recognise: Recogniser<Frame>, capacity: number) {
    this.#recognise = recognise;
    this.#capacity = capacity;
  }

  get pending(): number {
    return this.#end - this.#start + this.#skipped;
  }

  push(chunk: Uint8Array): readonly FramerEvent<Frame>[] {
    if (this.#kept(chunk)) return NOTHING;
    let events: FramerEvent<Frame>[] | undefined;
    for (let from = 0; from < chunk.length;) {
      from += this.#fill(chunk, from);
      if (this.#end - this.#start >= this.#need) this.#scan(false, (events ??= []));
    }
    return events ?? NOTHING;
  }

  flush(): readonly FramerEvent<Frame>[] {
    const events: FramerEvent<Frame>[] = [];
    this.#scan(true, events);
    this.#report(events);
    return events;
  }

  /** Where a chunk neither completes what is waited for nor needs room, it is only kept. */
  #kept(chunk: Uint8Array): boolean {
    const end = this.#end + chunk.length;
    if (end - this.#start >= this.#need || end > this.#buffer.length) return false;
    copied(chunk, 0, chunk.length, this.#buffer, this.#end);
    this.#end = end;
    return true;
  }

  #fill(chunk: Uint8Array, from: number): number {
    if (this.#start === this.#end || this.#end === this.#buffer.length) this.#makeRoom();
    const count = Math.min(chunk.length - from, this.#buffer.length - this.#end);
    copied(chunk, from, count, this.#buffer, this.#end);
    this.#end += count;
    return count;
  }

  /** Moves what is pending to the front; a buffer more than half full of it grows. */
  #makeRoom(): void {
    const pending = this.#end - this.#start;
    if (pending * 2 > this.#buffer.length) {
      const larger = new Uint8Array(Math.min(this.#buffer.length * 2, this.#capacity * 2));
      larger.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = larger;
    } else {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    }
    this.#base += this.#start;
    this.#start = 0;
    this.#end = pending;
  }

  #scan(final: boolean, events: FramerEvent<Frame>[]): void {
    this.#need = 1;
    while (this.#start < this.#end) {
      const verdict = this.#recognise(this.#buffer, this.#start, this.#end, final);
      if (verdict.kind === 'wait') {
        this.#need = verdict.need;
        return;
      }
      this.#take(verdict, events);
    }
  }

  #take(verdict: Exclude<Verdict<Frame>, { kind: 'wait' }>, events: FramerEvent<Frame>[]): void {
    if (verdict.kind === 'skip') {
      this.#skip(verdict.length, verdict.failure, events);
      return;
    }
    this.#report(events);
    const { length } = verdict;
    if (verdict.kind === 'frame') {
      const offset = this.#base + this.#start;
      events.push({ kind: 'frame', offset, length, frame: verdict.frame });
    }
    this.#start += length;
  }

  #skip(length: number, failure: Failure | undefined, events: FramerEvent<Frame>[]): void {
    if (failure !== undefined && failure.code !== this.#failure?.code) {
      this.#report(events);
      this.#failure = absolute(failure, this.#base + this.#start);
    }
    let left = length;
    while (left > 0) {
      const part = Math.min(left, this.#capacity - this.#skipped);
      this.#skipped += part;
      this.#start += part;
      left -= part;
      if (this.#skipped === this.#capacity) this.#report(events);
    }
  }

  /** Gives what was skipped as one event. */
  #report(events: FramerEvent<Frame>[]): void {
    if (this.#skipped > 0) {
      const offset = this.#base + this.#start - this.#skipped;
      const failure = this.#failure ?? { ...NOISE, offset };
      events.push({ kind: 'discarded', offset, length: this.#skipped, failure });
    }
    this.#skipped = 0;
    this.#failure = undefined;
  }
}

/** Up to here a loop is faster than the call of `set`, which costs as much as fifty bytes. */
const LOOP_BYTES_MAX = 32;

function copied(
  from: Uint8Array,
  at: number,
  count: number,
  into: Uint8Array,
  place: number,
): void {
  if (count > LOOP_BYTES_MAX) {
    into.set(count === from.length ? from : from.subarray(at, at + count), place);
    return;
  }
  for (let index = 0; index < count; index += 1) into[place + index] = from[at + index] ?? 0;
}

function absolute(failure: Failure, base: number): Failure {
  return { ...failure, offset: base + (failure.offset ?? 0) };
}
