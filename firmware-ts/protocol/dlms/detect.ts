import type { FramerEvent } from '../framer.ts';
import { isPushTag } from './apdu-extent.ts';
import type { Deframer, FramedApdu, Framing } from './deframer.ts';
import { deframerFor } from './deframer.ts';

/** Longer than any frame: who has not shown one by then is reported, and the search goes on. */
const UNDECIDED_BYTES_MAX = 8192;

type Event = FramerEvent<FramedApdu>;

interface Candidate {
  readonly framing: Framing;
  readonly deframer: Deframer;
}

/**
 * Finds out by itself how a stream is framed: HDLC and M-Bus, whose checks cannot hold by chance,
 * are tried from any point of the stream on; the wrapper and bare APDUs only if the stream begins
 * with one. The first good frame decides until the connection starts anew.
 */
export class DetectingDeframer implements Deframer {
  #candidates: readonly Candidate[] | undefined;
  #chosen: Deframer | undefined;
  #seen = 0;
  #reported = 0;

  get pending(): number {
    if (this.#chosen !== undefined) return this.#chosen.pending;
    return this.#seen - this.#reported;
  }

  get unfinished(): boolean {
    return this.#everyone().some((deframer) => deframer.unfinished);
  }

  push(chunk: Uint8Array): readonly Event[] {
    if (this.#chosen !== undefined) return this.#chosen.push(chunk);
    this.#seen += chunk.length;
    this.#candidates ??= candidatesFor(chunk[0]);
    const events = this.#tried((deframer) => deframer.push(chunk));
    if (events.length > 0 || this.unfinished) return events;
    return this.#seen - this.#reported > UNDECIDED_BYTES_MAX ? this.#unknown() : [];
  }

  flush(): readonly Event[] {
    if (this.#chosen !== undefined) return this.#chosen.flush();
    const events = this.#tried((deframer) => deframer.flush());
    if (events.length > 0 || this.unfinished) return events;
    return this.#unknown();
  }

  forget(): readonly Event[] {
    const lost = this.#everyone().flatMap((deframer) => deframer.forget());
    if (lost.length > 0) this.#reported = this.#seen;
    return this.#chosen === undefined && lost.length === 0 ? this.#unknown() : lost;
  }

  #everyone(): readonly Deframer[] {
    if (this.#chosen !== undefined) return [this.#chosen];
    return (this.#candidates ?? []).map(({ deframer }) => deframer);
  }

  /** Lets every candidate work; the first with a frame is chosen. */
  #tried(work: (deframer: Deframer) => readonly Event[]): readonly Event[] {
    const left: Candidate[] = [];
    for (const candidate of this.#candidates ?? []) {
      const events = work(candidate.deframer);
      if (events.some((event) => decides(candidate.framing, event))) {
        this.#chosen = candidate.deframer;
        this.#candidates = undefined;
        return events;
      }
      if (events.length === 0 || searches(candidate.framing)) left.push(candidate);
    }
    this.#candidates = left;
    return [];
  }

  #unknown(): readonly Event[] {
    const offset = this.#reported;
    const length = this.#seen - offset;
    this.#reported = this.#seen;
    if (length === 0) return [];
    const message = 'neither HDLC, M-Bus, wrapper nor a bare APDU';
    const failure = { code: 'unknown-framing', message, offset };
    return [{ kind: 'discarded', offset, length, failure }];
  }
}

function candidatesFor(first: number | undefined): readonly Candidate[] {
  const framings: Framing[] = ['hdlc', 'mbus'];
  if (first === 0) framings.push('wrapper');
  if (isPushTag(first)) framings.push('raw');
  return framings.map((framing) => ({ framing, deframer: deframerFor(framing) }));
}

function searches(framing: Framing): boolean {
  return framing === 'hdlc' || framing === 'mbus';
}

function decides(framing: Framing, event: Event): boolean {
  if (event.kind !== 'frame') return false;
  return searches(framing) || isPushTag(event.frame.bytes[0]);
}
