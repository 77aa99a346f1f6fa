import type { Failure } from '#bytes/failure.ts';
import type { DueEntry } from '#store/store.ts';
import { packFrom, type Pack } from './pack.ts';
import { atomsOf, piecesOf, type Piece } from './pieces.ts';

/** A stream whose entry the broker refused: nothing of it is sent until the retry. */
export interface Refused {
  readonly failure: Failure;
  /** The refused entry, which is the oldest unacknowledged one of its stream. */
  readonly id: number;
  /** Refusals in a row. */
  readonly tries: number;
}

interface Stream {
  /** Sent and not yet deletable, oldest first. */
  readonly flight: { readonly pack: Pack; delivered: boolean }[];
  refused?: Refused;
  /** The first of those that fell back or were passed over because of the refusal. */
  leftId: number;
}

/**
 * The order of sending in one lane of a session: the oldest entry first, together with those of
 * its stream that fit beside it. Within a stream only a prefix is ever deletable, so that a
 * refusal or a crash resumes at the oldest missing entry and repeats what was sent after it.
 */
export class SendQueue {
  readonly #streams = new Map<string, Stream>();
  /** Entries that wait or fly; seen again in the outbox, they are passed over. */
  readonly #taken = new Set<number>();
  #pending: Piece[] = [];
  #inFlight = 0;
  /** A stream of which only `sendApart` sends. */
  #held: string | undefined;

  /** Packs that wait for the broker's answer. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Entries that wait to be sent. */
  get pending(): number {
    return this.#pending.length;
  }

  get refusals(): ReadonlyMap<string, Refused> {
    const refused = new Map<string, Refused>();
    for (const [name, stream] of this.#streams) {
      if (stream.refused !== undefined) refused.set(name, stream.refused);
    }
    return refused;
  }

  /**
   * Entries as the outbox gave them, divided where they are larger than `bytesMax`; what is taken
   * already or of a refused stream goes.
   */
  add(entries: readonly DueEntry[], bytesMax: number): void {
    for (const entry of entries) {
      if (this.#taken.has(entry.id)) continue;
      const stream = this.#stream(entry.stream);
      if (stream.refused !== undefined || entry.stream === this.#held) {
        stream.leftId = Math.min(stream.leftId, entry.id);
        continue;
      }
      this.#taken.add(entry.id);
      this.#pending.push(...piecesOf(entry, bytesMax));
    }
  }

  /**
   * The observations of `entries` go next, each alone; their stream goes on behind them. Answers
   * the first id that was left, as `resume` does.
   */
  addAlone(entries: readonly DueEntry[]): number {
    for (const { id } of entries) this.#taken.add(id);
    this.#pending.unshift(...entries.flatMap(atomsOf));
    return Math.min(...entries.map(({ stream }) => this.resume(stream)));
  }

  /** The next pack of at most `bytesMax`; an entry that is larger by itself comes alone. */
  next(bytesMax: number): Pack | undefined {
    const next = packFrom(this.#pending, bytesMax);
    if (next === undefined) return undefined;
    this.#pending = next.rest;
    return this.#launch(next.pack);
  }

  /** Of a stream that nothing is known of yet: what comes of it is passed over from now on. */
  hold(stream: string): void {
    this.#held = stream;
  }

  sendApart(piece: Piece): Pack {
    return this.#launch({ stream: piece.stream, entries: [piece] });
  }

  /** What was held goes on unless it is refused; answers what `resume` does. */
  letGo(): number {
    const name = this.#held;
    this.#held = undefined;
    const waits = name === undefined || this.#stream(name).refused !== undefined;
    return waits ? Infinity : this.resume(name);
  }

  /** The beginning of `entry` goes next, alone, as a question; the rest of its stream waits. */
  probe(entry: DueEntry, bytesMax: number): void {
    const [piece = entry] = piecesOf(entry, bytesMax);
    this.#pending.unshift({ ...piece, alone: true });
  }

  /** The broker has `pack`; answers the entries, by their last parts, that may be deleted now. */
  delivered(pack: Pack): readonly Piece[] {
    this.#inFlight -= 1;
    const stream = this.#stream(pack.stream);
    const flying = stream.flight.find((one) => one.pack === pack);
    if (flying === undefined) return []; // sent again behind a refused one
    flying.delivered = true;
    const pieces: Piece[] = [];
    while (stream.flight[0]?.delivered === true) {
      pieces.push(...(stream.flight.shift()?.pack.entries ?? []));
    }
    const entries = pieces.filter((piece) => piece.partial !== true);
    this.#release(entries);
    return entries;
  }

  /** The broker refuses `pack`: its stream falls back to the pack's first entry and waits. */
  refused(pack: Pack, failure: Failure): Refused | undefined {
    this.#inFlight -= 1;
    const stream = this.#stream(pack.stream);
    const at = stream.flight.findIndex((one) => one.pack === pack);
    if (at < 0) return undefined; // it already fell back behind an earlier one
    const flown = stream.flight.splice(at).flatMap((one) => one.pack.entries);
    const waiting = this.#pending.filter((entry) => entry.stream === pack.stream);
    this.#release([...flown, ...waiting]);
    this.#pending = this.#pending.filter((entry) => entry.stream !== pack.stream);
    const tries = (stream.refused?.tries ?? 0) + 1;
    const { id } = pack.entries[0];
    const left = [...flown, ...waiting].filter((entry) => entry.id !== id);
    stream.leftId = Math.min(stream.leftId, ...left.map((entry) => entry.id));
    stream.refused = { failure, id, tries };
    return stream.refused;
  }

  /**
   * The stream is sent again. Answers the first id that was left because of the refusal, from
   * which the outbox is to be read anew; it is before the refused one where a person has made
   * something older due again. `Infinity` if none was.
   */
  resume(name: string): number {
    const stream = this.#stream(name);
    const { leftId } = stream;
    delete stream.refused;
    stream.leftId = Infinity;
    return leftId;
  }

  #release(entries: readonly Piece[]): void {
    for (const { id } of entries) this.#taken.delete(id);
  }

  #launch(pack: Pack): Pack {
    this.#stream(pack.stream).flight.push({ pack, delivered: false });
    this.#inFlight += 1;
    return pack;
  }

  #stream(name: string): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = { flight: [], leftId: Infinity };
      this.#streams.set(name, stream);
    }
    return stream;
  }
}
