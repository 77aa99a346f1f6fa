import type { Database } from 'better-sqlite3';
import type { GapReason } from '#contract/manifest.ts';
import type { Ranges } from '#contract/ranges.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import { passOver } from '../gaps.ts';
import { laneOf } from '../lanes.ts';
import type { Now } from '../messages.ts';
import { OutboxLedger } from '../outbox.ts';
import type { StreamState } from '../running.ts';
import { RunningNumbers, countQueued, gapOf } from '../running.ts';
import { STATE } from '../schema.ts';
import type { GapRow, Statements } from '../statements.ts';
import { prepareStatements } from '../statements.ts';
import type { NamedGap } from '../store.ts';
import { CarriedBoots } from './carried-boots.ts';
import { carryKept } from './carry-kept.ts';
import type { EntryRead } from './entry-row.ts';
import { entryOf } from './entry-row.ts';
import type { Find } from './find.ts';
import type { FoundStream } from './found-tables.ts';
import { namedIn } from './found-tables.ts';
import { Room } from './room.ts';

export interface CarriedOver {
  /** Entries of the outbox. */
  readonly entries: number;
  readonly gaps: readonly NamedGap[];
}

export interface CarryOverOptions {
  readonly now: Now;
  /** The new file may grow to this. */
  readonly bytesMax: number;
}

/**
 * Fills a new file with what was found in a damaged one. Streams keep
 * their epochs and numbers, and grow no more; of their numbers each one that is neither delivered
 * nor there is named. One transaction, on a file that nobody else sees yet.
 */
export function carryOver(database: Database, find: Find, options: CarryOverOptions): CarriedOver {
  return database.transaction(() => {
    const carrier = new Carrier(database, options);
    carrier.carry(find);
    return carrier.finish(find);
  })();
}

/** A stream while its entries come, the oldest first. */
interface Carrying {
  readonly stream: StreamState;
  /** All numbers below are delivered, told, carried over or named. */
  cursor: number;
  readonly named: Ranges;
  /** Where it is known which number comes next, none is beyond. */
  readonly limit: number;
}

/** Of a stream that is known by its name alone. */
const NO_NUMBERS = {
  ...{ next: 0, through: -1, chain: undefined },
  ...{ gapsOmitted: 0, toldThrough: -1, untold: [] },
};

const LEAST_URGENT_FIRST = DELIVERY_CLASSES.toReversed();
const CHAIN_BYTES = 32;

class Carrier {
  readonly #statements: Statements;
  readonly #numbers: RunningNumbers;
  readonly #outbox: OutboxLedger;
  readonly #room: Room;
  readonly #now: Now;
  readonly #hasEntry: (id: number) => boolean;
  readonly #setStandings: (backend: number, standings: number) => void;
  readonly #setBelieved: (ms: number | undefined) => void;
  /** By backend, name and epoch: of one stream there may be two versions. */
  readonly #byKey = new Map<string, Carrying>();

  constructor(database: Database, { now, bytesMax }: CarryOverOptions) {
    this.#statements = prepareStatements(database);
    this.#numbers = new RunningNumbers(this.#statements);
    this.#outbox = new OutboxLedger(this.#statements, this.#numbers);
    this.#room = new Room(database, bytesMax);
    this.#now = now;
    const present = database.prepare<[number]>('SELECT 1 FROM entry WHERE id = ?');
    this.#hasEntry = (id) => present.get(id) !== undefined;
    const set = database.prepare('UPDATE backend SET standings = max(standings, ?) WHERE id = ?');
    const believe = database.prepare('UPDATE meta SET believed_ms = coalesce(?, believed_ms)');
    this.#setBelieved = (ms) => void believe.run(ms ?? null);
    this.#setStandings = (backend, standings) => void set.run(standings, backend);
  }

  carry(find: Find): void {
    const { meta, backends, streams, boots: found } = find.tables;
    const numbers = this.#numbers;
    if (meta !== undefined) {
      numbers.meta.elapsedMs = Math.max(numbers.meta.elapsedMs, meta.elapsedMs);
      numbers.meta.nextObservation = Math.max(numbers.meta.nextObservation, meta.nextObservation);
    }
    for (const { name, standings } of backends.values()) {
      this.#setStandings(numbers.backend(name).id, standings);
    }
    const byId = new Map<number, Carrying>();
    for (const [id, stream] of [...streams].sort(([a], [b]) => a - b)) {
      const of = DELIVERY_CLASSES[stream.numbers?.class ?? -1];
      const carrying = of && this.#begin(find, id, stream, of);
      if (carrying !== undefined) byId.set(id, carrying);
    }
    const boots = new CarriedBoots(this.#statements, numbers.boots, found);
    for (const [table, id, row] of find.entries()) {
      const entry = entryOf(table, id, row);
      if (entry !== undefined) this.#carryEntry(find, byId, boots, entry);
    }
    for (const carrying of byId.values()) this.#end(carrying);
    carryKept(this.#statements, numbers, find, { boots, room: this.#room });
  }

  finish({ tables: { meta } }: Find): CarriedOver {
    const wall = meta?.wallMs === undefined ? {} : { wallMs: meta.wallMs };
    this.#numbers.write(this.#numbers.meta.elapsedMs, wall);
    this.#numbers.meta.write(wall);
    this.#setBelieved(meta?.believedMs);
    const backends = [...this.#numbers.backends.values()];
    const entries = backends.reduce((sum, { queuedEntries }) => sum + queuedEntries, 0);
    return { entries, gaps: this.#outbox.gaps.take() };
  }

  #begin(find: Find, id: number, found: FoundStream, of: DeliveryClass): Carrying | undefined {
    const name = find.tables.backends.get(found.backend)?.name;
    if (name === undefined) return undefined;
    const key = `${name}\n${found.name}\n${found.epoch}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const { next, through, chain, gapsOmitted, toldThrough, untold } = found.numbers ?? NO_NUMBERS;
    const stream = this.#numbers.addStream(this.#numbers.backend(name), found.name, of, {
      epoch: found.epoch,
      growing: false,
      nextSequence: next,
      through,
      chain: find.file.certain && chain?.length === CHAIN_BYTES ? chain : undefined,
    });
    stream.gapsOmitted = gapsOmitted;
    stream.changed = true;
    const repeated = untold.map((gap) => ({ ...gap, wallMs: null }));
    const named = this.#carryGaps(stream, [...(find.tables.gaps.get(id) ?? []), ...repeated]);
    const limit = find.file.certain && found.numbers !== undefined ? next : Infinity;
    const carrying = { stream, cursor: toldThrough + 1, named, limit };
    this.#byKey.set(key, carrying);
    return carrying;
  }

  #carryGaps(stream: StreamState, gaps: readonly Omit<GapRow, 'stream'>[]): Ranges {
    const inOrder = gaps.toSorted((a, b) => a.first - b.first);
    for (const gap of inOrder) {
      this.#statements.addGap.run(stream.id, gap.first, gap.last, gap.reason, gap.wallMs);
      stream.firstUntold = Math.min(stream.firstUntold, gap.first);
      if (gap.last > stream.through) stream.gapsAhead.push(gapOf(gap));
    }
    passOver(stream);
    return namedIn(inOrder);
  }

  #carryEntry(
    find: Find,
    byId: Map<number, Carrying>,
    boots: CarriedBoots,
    entry: EntryRead,
  ): void {
    const carrying = this.#carryingOf(find, byId, entry);
    if (carrying === undefined) return;
    const { stream, named } = carrying;
    const { sequence, count: numbers } = entry;
    const last = sequence + numbers - 1;
    if (this.#hasEntry(entry.id) || last >= carrying.limit) return;
    const unnamed = named.missing(sequence, last).length > 0;
    const ahead = unnamed && last > stream.through;
    const found = ahead || (unnamed && last >= carrying.cursor);
    if (found) {
      if (sequence < carrying.cursor) return; // a second version of what has come
      this.#name(carrying, carrying.cursor, sequence - 1, 'store-damaged');
      carrying.cursor = last + 1;
      stream.nextSequence = Math.max(stream.nextSequence, last + 1);
    }
    const aside = found && entry.state === STATE.quarantined;
    if (!this.#makeRoom(entry)) {
      if (ahead || aside) this.#name(carrying, sequence, last, 'disk-full');
      return;
    }
    this.#insert(find, stream, boots, entry, ahead);
    if (aside) this.#name(carrying, sequence, last, 'quarantined');
  }

  /** Where the row of its stream was lost it begins with the first of its entries. */
  #carryingOf(
    find: Find,
    byId: Map<number, Carrying>,
    { stream, class: of }: EntryRead,
  ): Carrying | undefined {
    const known = byId.get(stream);
    if (known !== undefined) return known;
    const found = find.tables.streams.get(stream);
    const carrying = found && this.#begin(find, stream, found, of);
    if (carrying !== undefined) byId.set(stream, carrying);
    return carrying;
  }

  #insert(
    find: Find,
    stream: StreamState,
    boots: CarriedBoots,
    entry: EntryRead,
    ahead: boolean,
  ): void {
    const { id, state } = entry;
    // One that awaits a receipt beyond what is known as delivered is sent once more.
    const now = ahead && state === STATE.awaitsReceipt ? STATE.due : state;
    const boot = boots.idOf(entry.boot);
    this.#outbox.insert({
      ...entry,
      lane: laneOf(stream.backend, stream.class),
      stream: stream.id,
      state: now,
      boot,
      stamps: boot === null ? null : entry.stamps,
    });
    if (state === STATE.quarantined) {
      const { code, message } = find.tables.quarantined.get(id) ?? UNKNOWN_REASON;
      this.#statements.quarantine.run(id, code, message);
    }
    countQueued(stream, 1, entry.readings, entry.records.length);
    this.#numbers.meta.nextEntry = Math.max(this.#numbers.meta.nextEntry, id + 1);
    this.#numbers.meta.elapsedMs = Math.max(this.#numbers.meta.elapsedMs, entry.storedMs);
  }

  /** What is missing at the end. */
  #end(carrying: Carrying): void {
    const { stream, named } = carrying;
    stream.nextSequence = Math.max(stream.nextSequence, named.last + 1);
    this.#name(carrying, carrying.cursor, stream.nextSequence - 1, 'store-damaged');
    carrying.cursor = Math.max(carrying.cursor, stream.nextSequence);
    stream.changed = true;
  }

  #name({ stream, named }: Carrying, first: number, last: number, reason: GapReason): void {
    for (const [from, through] of first > last ? [] : named.missing(first, last)) {
      // One that was delivered is in the chain: who counts it as a gap has another.
      if (reason === 'store-damaged' && from <= stream.through) stream.chain = undefined;
      this.#outbox.gaps.name(stream, { first: from, last: through }, reason, this.#now);
      named.add(from, through);
    }
  }

  /** As when the disk is full: the least urgent goes first, of it the oldest; none is for less. */
  #makeRoom({ records, class: urgency }: EntryRead): boolean {
    const bytes = records.length;
    if (this.#room.take(bytes)) return true;
    const how = { reason: 'disk-full', now: this.#now } as const;
    const end = LEAST_URGENT_FIRST.indexOf(urgency) + 1;
    for (const of of LEAST_URGENT_FIRST.slice(0, end)) {
      for (const backend of this.#numbers.backends.values()) {
        this.#outbox.makeRoom(backend, ROOM_BYTES, [of], how);
        if (this.#room.take(bytes)) return true;
      }
    }
    return false;
  }
}

/** So much is made at once: a page is free only when all in it is gone. */
const ROOM_BYTES = 32 << 10;

const UNKNOWN_REASON = { code: 'store-damaged', message: 'the reason could not be read' };
