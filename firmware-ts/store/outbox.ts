import { hash } from 'node:crypto';
import { OperatingError } from '#bytes/failure.ts';
import { advanceAll } from '#contract/chain.ts';
import type { GapReason } from '#contract/manifest.ts';
import { formsOfRecords } from '#contract/records.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import { letGo } from '#system/memory.ts';
import type { Boots } from './boots.ts';
import { recordsOf, stampsToBytes } from './boots.ts';
import { Gaps, passOver } from './gaps.ts';
import { laneOf, owedOf } from './lanes.ts';
import type { Acknowledged, Calls, Now, OwedRun, Received, Skipped } from './messages.ts';
import { pack } from './packing.ts';
import { forget, receive } from './receipts.ts';
import { assertSoundHead, checksOf, isSoundRow } from './row-check.ts';
import type { BackendState, RunningNumbers, StreamState } from './running.ts';
import { countQueued } from './running.ts';
import { LANES, STATE } from './schema.ts';
import type { EntryRow, FilledEntryRow, Statements } from './statements.ts';
import type { Standing, Owed, StreamStanding, ToldGap } from './store.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

/** Entries that one transaction looks at where it need not take all. */
const ROWS_MAX = 1_000;

/** What is dropped first: what only waits for a receipt, then what the broker refuses anyway. */
const DROP_ORDER = [STATE.awaitsReceipt, STATE.quarantined, STATE.due] as const;

/** Such rows that are kept; when there are more the file is no good any more, and set aside. */
const DAMAGED_ROWS_MAX = 100;

/** Earlier epochs of a stream that manifests still tell of. */
const EPOCHS_MAX = 4;

/** The entries owed to back-ends; every method is a part of somebody's transaction. */
export class OutboxLedger {
  readonly gaps: Gaps;
  readonly #statements: Statements;
  readonly #numbers: RunningNumbers;

  constructor(statements: Statements, numbers: RunningNumbers) {
    this.#statements = statements;
    this.#numbers = numbers;
    this.gaps = new Gaps(statements);
  }

  /** Adds a run; answers what is owed now. */
  owe(run: OwedRun, records: Uint8Array, storedMs: number): Owed {
    const backend = this.#numbers.backend(run.backend);
    const stream = this.#numbers.stream(backend, run.stream, run.class);
    const id = this.#numbers.meta.nextEntry;
    const lane = laneOf(backend, stream.class);
    const { packing, size, bytes } = pack(records);
    const { count, takenMs, readings, recordCount } = run;
    this.insert({
      ...{ id, lane, stream: stream.id, sequence: stream.nextSequence, count, takenMs, storedMs },
      ...{ readings, recordCount, state: STATE.due, packing, size, records: bytes },
      boot: this.#numbers.boots.idOf(run.boot),
      stamps: run.boot === undefined ? null : stampsToBytes(run.stamps),
    });
    this.#numbers.meta.nextEntry = id + 1;
    stream.nextSequence += run.count;
    stream.changed = true;
    countQueued(stream, 1, run.readings, bytes.length);
    return owedOf({ id, lane });
  }

  /** A row with its check. */
  insert(row: Omit<FilledEntryRow, 'bytes' | 'checks'>): void {
    const { id, lane, stream, sequence, count, takenMs, storedMs, readings, recordCount } = row;
    this.#statements.owe.run(
      id,
      lane,
      stream,
      sequence,
      count,
      takenMs,
      storedMs,
      readings,
      recordCount,
      row.state,
      row.packing,
      row.size,
      row.records,
      row.boot,
      row.stamps,
      checksOf(row, row.records),
    );
  }

  /** Numbers for what was taken and could not be kept. */
  skip({ backend, stream: name, class: of, count: skipped }: Skipped, now: Now): void {
    const stream = this.#numbers.stream(this.#numbers.backend(backend), name, of);
    const first = stream.nextSequence;
    stream.nextSequence += skipped;
    this.gaps.name(stream, { first, last: first + skipped - 1 }, 'disk-full', now);
  }

  acknowledge({ backend: name, ids, awaitReceipt }: Acknowledged, now: Now): void {
    const backend = this.#numbers.backends.get(name);
    if (backend === undefined) return;
    for (const id of ids) {
      const entry = this.#entryOf(backend, id);
      const stream = entry && this.#numbers.streams.get(entry.stream);
      if (entry === undefined || stream === undefined) continue;
      if (entry.sequence > stream.through + 1) {
        this.#assertAwaited(stream, entry);
        continue; // before its turn: it stays due
      }
      if (!isSoundRow(entry)) {
        this.keepDamaged(entry, now);
        continue;
      }
      if (entry.state === STATE.due) deliver(stream, entry, this.#numbers.boots);
      if (entry.state === STATE.quarantined) this.#statements.unquarantine.run(id);
      if (!awaitReceipt) forget(this.#statements, this.#numbers, entry);
      else this.#statements.setState.run(STATE.awaitsReceipt, id);
    }
  }

  /** Answers whether the entry was due, or awaited a receipt. */
  quarantine(name: string, id: number, why: { code: string; message: string }, now: Now): boolean {
    const backend = this.#numbers.backends.get(name);
    const entry = backend && this.#entryOf(backend, id);
    const stream = entry && this.#numbers.streams.get(entry.stream);
    if (entry === undefined || stream === undefined) return false;
    if (entry.state === STATE.quarantined) return false;
    this.#statements.quarantine.run(id, why.code, why.message);
    this.#statements.setState.run(STATE.quarantined, id);
    this.#name(stream, entry, 'quarantined', now);
    return true;
  }

  /** Makes an entry in quarantine due again; answers what is owed now. */
  resend(name: string, id: number): Owed | undefined {
    const backend = this.#numbers.backends.get(name);
    const entry = backend && this.#entryOf(backend, id);
    if (entry?.state !== STATE.quarantined) return undefined;
    this.#statements.unquarantine.run(id);
    this.#statements.setState.run(STATE.due, id);
    return owedOf(entry);
  }

  discard(name: string, id: number): boolean {
    const backend = this.#numbers.backends.get(name);
    const entry = backend && this.#entryOf(backend, id);
    if (backend === undefined || entry?.state !== STATE.quarantined) return false;
    this.#statements.unquarantine.run(id);
    forget(this.#statements, this.#numbers, entry);
    return true;
  }

  /** As `receive` of a back-end that has an outbox. */
  receive(name: string, part: Pick<Calls['receive']['ask'], 'receipts' | 'from'>): Received {
    const backend = this.#numbers.backends.get(name);
    if (backend === undefined) return { owed: {} };
    return receive(this.#statements, this.#numbers, backend, part);
  }

  /** Drops what is older than `horizonMs` by the store's clock. */
  expire(backend: BackendState, horizonMs: number, now: Now): void {
    if (backend.oldestMs >= horizonMs) return;
    // Whatever comes later is not older than what this commit has added.
    let oldestMs = Math.max(horizonMs, this.#numbers.meta.elapsedMs);
    for (const of of DELIVERY_CLASSES) {
      for (const state of DROP_ORDER) {
        const leftMs = this.#expireOf([laneOf(backend, of), state], horizonMs, now);
        oldestMs = Math.min(oldestMs, leftMs);
      }
    }
    backend.oldestMs = oldestMs;
  }

  /** Answers how old the oldest is that was left, `Infinity` if none was. */
  #expireOf(
    [lane, state]: readonly [lane: number, state: number],
    horizonMs: number,
    now: Now,
  ): number {
    let left = ROWS_MAX;
    // Mostly there is none that is old, or one: larger pages only while all in them are.
    for (let page = 1; left > 0; left -= page, page = Math.min(8 * page, left)) {
      const oldest = this.#statements.oldestOf.all(lane, state, page);
      for (const entry of oldest) {
        if (entry.storedMs >= horizonMs) return entry.storedMs;
        this.drop(entry, 'age', now);
      }
      if (oldest.length < page) return Infinity;
    }
    return horizonMs - 1;
  }

  /**
   * Drops the oldest of `victims`, class after class, until `bytes` are free; answers how many
   * are. What is delivered and only awaits its receipt goes first.
   */
  makeRoom(
    backend: BackendState,
    bytes: number,
    victims: readonly DeliveryClass[],
    how: { readonly reason: GapReason; readonly now: Now },
  ): number {
    let freed = 0;
    for (const state of DROP_ORDER) {
      for (const of of victims) {
        if (freed >= bytes) return freed;
        for (const entry of this.#statements.oldestOf.all(laneOf(backend, of), state, ROWS_MAX)) {
          if (freed >= bytes) return freed;
          this.drop(entry, how.reason, how.now);
          freed += entry.bytes;
        }
      }
    }
    return freed;
  }

  drop(entry: EntryRow, reason: GapReason, now: Now): void {
    assertSoundHead(entry);
    const stream = this.#numbers.streams.get(entry.stream);
    if (stream !== undefined) this.#name(stream, entry, reason, now);
    if (entry.state === STATE.quarantined) this.#statements.unquarantine.run(entry.id);
    forget(this.#statements, this.#numbers, entry);
  }

  /**
   * Moves an entry out of the way whose content is not what was written, and names its numbers.
   * Errors: `store-damaged` where it is more than such an entry here and there.
   */
  keepDamaged(entry: EntryRow, now: Now): void {
    assertSoundHead(entry);
    const known = this.#numbers.streams.has(entry.stream);
    if (!known || (this.#statements.countDamaged.get() ?? 0) >= DAMAGED_ROWS_MAX) {
      throw new OperatingError('store-damaged', 'rows are not as they were written');
    }
    this.#statements.keepDamaged.run(now.wallMs ?? null, entry.id);
    this.drop(entry, 'store-damaged', now);
  }

  standing(name: string): Standing {
    const { id } = this.#numbers.backend(name);
    return {
      number: this.#statements.countStandings.get(id) ?? 0,
      streams: this.#streamsOf(name).map((stream) => {
        this.gaps.bound(stream);
        return standingOf(stream, this.gaps.toTell(stream));
      }),
    };
  }

  streams(name: string): readonly StreamStanding[] {
    return this.#streamsOf(name).map((stream) => standingOf(stream, this.gaps.newest(stream)));
  }

  told(name: string, told: readonly ToldGap[]): void {
    const streams = this.#streamsOf(name);
    for (const gap of told) {
      const stream = streams.find((one) => one.name === gap.stream && one.epoch === gap.epoch);
      if (stream !== undefined) this.gaps.told(stream, gap);
    }
  }

  entry(name: string, id: number): FilledEntryRow | undefined {
    const backend = this.#numbers.backends.get(name);
    return backend && this.#entryOf(backend, id);
  }

  /** Forgets the oldest epochs of streams that ended long ago and owe nothing. */
  tidy(): void {
    const ended = [...this.#numbers.streams.values()].filter(
      ({ growing, through, nextSequence }) => !growing && through + 1 >= nextSequence,
    );
    for (const stream of ended) {
      const { name, backend } = stream;
      const later = ended.filter((other) => {
        return other.name === name && other.backend === backend && other.epoch > stream.epoch;
      });
      const done = stream.queuedEntries === 0 && !this.gaps.leftToTell(stream);
      if (later.length >= EPOCHS_MAX && done) this.#numbers.forgetStream(stream);
    }
  }

  #streamsOf(name: string): readonly StreamState[] {
    return [...this.#numbers.streams.values()].filter(({ backend }) => backend.name === name);
  }

  /** Only what was not delivered or named before. */
  #name(stream: StreamState, entry: EntryRow, reason: GapReason, now: Now): void {
    const first = Math.max(entry.sequence, stream.through + 1);
    const last = entry.sequence + entry.count - 1;
    if (first <= last) this.gaps.name(stream, { first, last }, reason, now);
  }

  /** Errors: `store-damaged` where nothing is left that could come before `entry`. */
  #assertAwaited({ through }: StreamState, { lane, stream, id }: EntryRow): void {
    if (this.#statements.dueBefore.get(lane, stream, id) !== undefined) return;
    throw new OperatingError('store-damaged', `what comes after ${through} cannot be found`);
  }

  #entryOf(backend: BackendState, id: number): FilledEntryRow | undefined {
    const entry = this.#statements.entry.get(id);
    if (entry !== undefined) assertSoundHead(entry);
    return entry !== undefined && Math.floor(entry.lane / LANES) === backend.id ? entry : undefined;
  }
}

function standingOf(
  { name, class: of, epoch, through, chain, nextSequence }: StreamState,
  gaps: Pick<StreamStanding, 'gaps' | 'gapsOmitted' | 'gapsToCome'>,
): StreamStanding {
  const known = chain === undefined ? {} : { chain };
  return { stream: name, class: of, epoch, through, ...known, next: nextSequence, ...gaps };
}

/** Moves the stream past an entry that the broker has; one that came before changes nothing. */
function deliver(stream: StreamState, entry: FilledEntryRow, boots: Boots): void {
  if (entry.sequence !== stream.through + 1) return;
  stream.chain = chainAfter(stream.chain, entry, boots);
  stream.through = entry.sequence + entry.count - 1;
  stream.changed = true;
  passOver(stream);
}

function chainAfter(
  chain: Uint8Array | undefined,
  entry: FilledEntryRow,
  boots: Boots,
): Uint8Array | undefined {
  if (chain === undefined) return undefined;
  try {
    const records = recordsOf(entry, boots);
    const forms = formsOfRecords(records);
    if (forms.length !== entry.count) return undefined;
    const after = advanceAll(sha256, chain, entry.sequence, forms);
    letGo([records]);
    return after;
  } catch {
    return undefined; // no SenML: it was delivered all the same, and cannot be proven
  }
}
