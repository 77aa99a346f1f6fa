import { GAP_REASONS } from '#contract/manifest.ts';
import { Ranges } from '#contract/ranges.ts';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import type { GapRow } from '../statements.ts';
import type { UntoldGap } from '../untold.ts';
import { UNTOLD_MAX, untoldIn } from '../untold.ts';
import type { Row, Table } from './tables.ts';

/** More of a kind than any gateway has; what is beyond was made up by damage. */
const NAMES_MAX = 100_000;
const GAPS_MAX = 1_000_000;

export interface FoundMeta {
  readonly epoch: number;
  readonly nextEntry: number;
  readonly nextObservation: number;
  readonly elapsedMs: number;
  readonly wallMs: number | undefined;
  readonly believedMs: number | undefined;
}

export interface FoundStream {
  readonly backend: number;
  readonly name: string;
  readonly epoch: number;
  /** Absent where only its name was found, in an index. */
  readonly numbers?: {
    readonly class: number;
    readonly next: number;
    readonly through: number;
    readonly chain: Uint8Array | undefined;
    readonly gapsOmitted: number;
    /** Gaps up to here were told, or are in `untold`; those beyond may have been lost. */
    readonly toldThrough: number;
    readonly untold: readonly UntoldGap[];
  };
}

export interface FoundBoot {
  readonly name: string;
  readonly offsetMs: number | undefined;
  readonly trust: string;
}

/** Rows of the tables that are small; of two versions of a row the later one counts. */
export class FoundTables {
  meta: FoundMeta | undefined;
  readonly sources = new Map<number, string>();
  readonly backends = new Map<number, { name: string; standings: number }>();
  readonly boots = new Map<number, FoundBoot>();
  readonly streams = new Map<number, FoundStream>();
  readonly gaps = new Map<number, GapRow[]>();
  readonly quarantined = new Map<number, { code: string; message: string }>();
  /** Roots of indexes over names, by table. */
  readonly indexes = new Map<string, number>();
  #gapCount = 0;

  take(table: Table, id: number, row: Row): void {
    TAKERS[table]?.(this, id, row);
  }

  /** A name from an index, where the row itself is lost. */
  takeName(table: NamedTable, id: number, name: string): void {
    if (name === '') return;
    if (table === 'source') this.#add(this.sources, id, name);
    else if (table === 'backend') this.#add(this.backends, id, { name, standings: 0 });
    else this.#add(this.boots, id, { name, offsetMs: undefined, trust: '' });
  }

  takeMeta(row: Row): void {
    const meta = {
      epoch: row.count(0),
      nextEntry: row.count(1),
      nextObservation: row.count(2),
      elapsedMs: row.optional(3) ?? 0,
      wallMs: row.optional(4),
      believedMs: row.optional(5) ?? row.optional(4),
    };
    const { epoch, nextEntry, nextObservation } = meta;
    if (Number.isNaN(epoch + nextEntry + nextObservation) || meta.elapsedMs < 0) return;
    if (nextEntry > (this.meta?.nextEntry ?? -1)) this.meta = meta;
  }

  takeBackend(id: number, name: string, standings: number): void {
    const known = this.backends.get(id)?.standings ?? 0;
    if (name === '' || this.backends.size >= NAMES_MAX) return;
    this.backends.set(id, { name, standings: Math.max(known, standings || 0) });
  }

  takeBoot(id: number, row: Row): void {
    const boot = { name: row.text(1), offsetMs: row.optional(2), trust: row.text(3) };
    if (boot.name === '' || this.boots.size >= NAMES_MAX) return;
    if (this.boots.get(id)?.offsetMs === undefined) this.boots.set(id, boot);
  }

  takeStream(id: number, stream: FoundStream | undefined): void {
    if (stream === undefined || Number.isNaN(id) || this.streams.size >= NAMES_MAX) return;
    const [known, anew] = [this.streams.get(id)?.numbers, stream.numbers];
    const newer = anew !== undefined && placeOf(anew) > placeOf(known);
    if (known === undefined || newer) this.streams.set(id, stream);
  }

  takeGap(row: Row): void {
    const [stream, first, last] = [row.count(0), row.count(1), row.count(2)];
    const reason = row.text(3);
    const known = GAP_REASONS.some((word) => word === reason);
    if (!known || !(first <= last) || Number.isNaN(stream) || this.#gapCount >= GAPS_MAX) return;
    this.#gapCount += 1;
    const gaps = this.gaps.get(stream) ?? [];
    this.gaps.set(stream, gaps);
    gaps.push({ stream, first, last, reason, wallMs: row.optional(4) ?? null });
  }

  #add<Found>(found: Map<number, Found>, id: number, value: Found): void {
    if (found.size < NAMES_MAX && !found.has(id)) found.set(id, value);
  }
}

/** Tables whose names lie in an index too. */
export const NAMED_TABLES = ['source', 'backend', 'boot'] as const;
type NamedTable = (typeof NAMED_TABLES)[number];

type Take = (found: FoundTables, id: number, row: Row) => void;

const TAKERS: Readonly<Partial<Record<Table, Take>>> = {
  meta: (found, _, row) => found.takeMeta(row),
  source: (found, id, row) => found.takeName('source', id, row.text(1)),
  backend: (found, id, row) => found.takeBackend(id, row.text(1), row.count(5)),
  boot: (found, id, row) => found.takeBoot(id, row),
  stream: (found, id, row) => found.takeStream(id, streamOf('stream', row)),
  'stream-1': (found, id, row) => found.takeStream(id, streamOf('stream-1', row)),
  'stream-name': (found, _, row) => found.takeStream(row.count(3), nameOf(row, row.count(2))),
  gap: (found, _, row) => found.takeGap(row),
  quarantine: (found, id, row) => {
    found.quarantined.set(id, { code: row.text(1), message: row.text(2) });
  },
  schema: (found, _, row) => {
    const named = row.text(0) === 'index' && row.text(1).startsWith('sqlite_autoindex_');
    if (named) found.indexes.set(row.text(2), row.count(3));
  },
};

function placeOf(numbers: FoundStream['numbers']): number {
  return numbers === undefined ? -2 : numbers.next + numbers.through;
}

function nameOf(row: Row, epoch: number): FoundStream | undefined {
  const stream = { backend: row.count(0), name: row.text(1), epoch };
  const good = !Number.isNaN(stream.backend + epoch) && stream.name !== '';
  return good ? stream : undefined;
}

const MEASUREMENT = DELIVERY_CLASSES.indexOf('measurement');

/** The columns of version 1 do not tell what was delivered. */
function streamOf(table: 'stream' | 'stream-1', row: Row): FoundStream | undefined {
  const [backend, name] = [row.count(1), row.text(2)];
  const epoch = row.count(table === 'stream' ? 4 : 3);
  if (Number.isNaN(backend + epoch) || name === '') return undefined;
  if (table === 'stream-1') {
    const numbers = { class: MEASUREMENT, next: row.count(4), through: -1, chain: undefined };
    if (!(numbers.next >= 0)) return { backend, name, epoch };
    const gaps = { gapsOmitted: 0, toldThrough: -1, untold: [] };
    return { backend, name, epoch, numbers: { ...numbers, ...gaps } };
  }
  const [next, through, of] = [row.count(6), row.integer(7), row.count(3)];
  if (!(through >= -1 && through < next)) return { backend, name, epoch };
  const toldThrough = row.optional(10) ?? through; // files before version 6 do not tell
  if (!(toldThrough >= -1 && toldThrough <= through)) return { backend, name, epoch };
  const chain = row.blob(8);
  const gapsOmitted = row.count(9) || 0;
  const gaps = { gapsOmitted, ...knownGaps(row.blob(14), through, toldThrough) };
  return { backend, name, epoch, numbers: { class: of, next, through, chain, ...gaps } };
}

/** Where fewer are repeated than may be, they are all. */
function knownGaps(bytes: Uint8Array | undefined, through: number, toldThrough: number) {
  const untold = bytes && untoldIn(bytes);
  const last = untold?.at(-1);
  if (untold === undefined || last === undefined) return { toldThrough, untold: [] };
  const all = untold.length < UNTOLD_MAX;
  return { toldThrough: all ? through : Math.min(through, last.last), untold };
}

/** Numbers that are named already. */
export function namedIn(gaps: readonly Pick<GapRow, 'first' | 'last'>[]): Ranges {
  const named = new Ranges();
  for (const { first, last } of gaps) named.add(first, last);
  return named;
}
