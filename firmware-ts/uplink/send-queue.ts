import type { Failure } from '#bytes/failure.ts';
import type { DueEntry } from '#store/store.ts';

/** Consecutive entries of one stream that travel in one payload. */
export interface Pack {
  readonly stream: string;
  readonly entries: readonly [DueEntry, ...DueEntry[]];
}

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
  /** Entries up to here have been taken over; seen again, they are passed over. */
  throughId: number;
  refused?: Refused;
}

/** What a packet holds beside its entries' records and twice its stream's and gateway's name. */
export const PACK_OVERHEAD_BYTES = 96;
/** A pack is decoded as a whole by the head-end. */
const PACK_COUNT_MAX = 512;

/**
 * The order of sending in one session: the oldest entry first, together with those of its stream
 * that fit beside it. Within a stream only a prefix is ever deletable, so that a refusal or a
 * crash resumes at the oldest missing entry and repeats what was sent after it.
 */
export class SendQueue {
  readonly #streams = new Map<string, Stream>();
  #pending: DueEntry[] = [];
  #inFlight = 0;

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

  /** Entries as the outbox gave them; what was taken before or belongs to a refused stream goes. */
  add(entries: readonly DueEntry[]): void {
    for (const entry of entries) {
      const stream = this.#stream(entry.stream);
      if (stream.refused !== undefined || entry.id <= stream.throughId) continue;
      stream.throughId = entry.id;
      this.#pending.push(entry);
    }
  }

  /** The next pack of at most `bytesMax`; an entry that is larger by itself comes alone. */
  next(bytesMax: number): Pack | undefined {
    const [first, ...later] = this.#pending;
    if (first === undefined) return undefined;
    const entries: [DueEntry, ...DueEntry[]] = [first];
    const rest: DueEntry[] = [];
    let next = first.sequence + first.count;
    let bytes = PACK_OVERHEAD_BYTES + 2 * first.stream.length + first.records.length;
    let open = true;
    for (const entry of later) {
      if (entry.stream !== first.stream) rest.push(entry);
      else {
        bytes += entry.records.length;
        open &&= bytes <= bytesMax && follows(entry, first, next);
        if (open) next += entry.count;
        (open ? entries : rest).push(entry);
      }
    }
    this.#pending = rest;
    return this.#launch({ stream: first.stream, entries });
  }

  /** One refused entry alone, so that a second refusal is about it and nothing else. */
  probe(entry: DueEntry): Pack {
    this.#stream(entry.stream).throughId = entry.id;
    return this.#launch({ stream: entry.stream, entries: [entry] });
  }

  /** The broker has `pack`; answers the entries that may be deleted now. */
  delivered(pack: Pack): readonly DueEntry[] {
    this.#inFlight -= 1;
    const stream = this.#stream(pack.stream);
    const flying = stream.flight.find((one) => one.pack === pack);
    if (flying === undefined) return []; // sent again behind a refused one
    flying.delivered = true;
    const entries: DueEntry[] = [];
    while (stream.flight[0]?.delivered === true) {
      entries.push(...(stream.flight.shift()?.pack.entries ?? []));
    }
    return entries;
  }

  /** The broker refuses `pack`: its stream falls back to the pack's first entry and waits. */
  refused(pack: Pack, failure: Failure): Refused | undefined {
    this.#inFlight -= 1;
    const stream = this.#stream(pack.stream);
    const at = stream.flight.findIndex((one) => one.pack === pack);
    if (at < 0) return undefined; // it already fell back behind an earlier one
    stream.flight.splice(at);
    this.#pending = this.#pending.filter((entry) => entry.stream !== pack.stream);
    const tries = (stream.refused?.tries ?? 0) + 1;
    stream.refused = { failure, id: pack.entries[0].id, tries };
    return stream.refused;
  }

  /** The stream is sent again after `throughId`; the outbox is to be read anew from there. */
  resume(name: string, throughId: number): void {
    const stream = this.#stream(name);
    delete stream.refused;
    stream.throughId = throughId;
  }

  #launch(pack: Pack): Pack {
    this.#stream(pack.stream).flight.push({ pack, delivered: false });
    this.#inFlight += 1;
    return pack;
  }

  #stream(name: string): Stream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = { flight: [], throughId: 0 };
      this.#streams.set(name, stream);
    }
    return stream;
  }
}

/** Whether `entry` may come next in a pack that begins with `first` and ends before `next`. */
function follows(entry: DueEntry, first: DueEntry, next: number): boolean {
  return (
    next - first.sequence + entry.count <= PACK_COUNT_MAX &&
    entry.epoch === first.epoch &&
    entry.sequence === next
  );
}
