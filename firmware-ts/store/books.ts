import { dirname } from 'node:path';
import type { OperatingError } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import type { OpenLedger } from './database.ts';
import { openLedger } from './database.ts';
import { diskFailure, diskFailureIn } from './disk-failure.ts';
import type { Ledger } from './ledger.ts';
import type { Batch, CallName, Calls, Now, OwedBy, Request, ThreadSetting } from './messages.ts';
import type { FreeBytes } from './reserve.ts';
import { Reserve, machineFreeBytes, reserveIn } from './reserve.ts';
import { withoutLeastUrgent } from './scarcity.ts';
import { epochAfter } from './schema.ts';
import type { Aside } from './set-aside.ts';
import { setAside } from './set-aside.ts';
import type { NamedGap, Opening } from './store.ts';

/** For a name of a gap, or why an entry is in quarantine; the reserve has more beyond the log. */
const SPARE_PAGES = 64;

/** The file in use is damaged; nothing is read or written until another one is open. */
interface Damage {
  /** What the calls are answered with: the damage, then why no other file could be begun. */
  reason: unknown;
  readonly failure: OperatingError;
  aside?: Aside;
}

export interface BooksEvents {
  /** A file was found damaged in use, and another one begun. */
  replaced(opening: Opening): void;
  named(gaps: readonly NamedGap[]): void;
}

/**
 * The ledger through its life: replaced when its file turns out damaged, and kept from growing
 * while the disk has no room for the reserve, so that acknowledgements are taken in any case.
 */
export class Books {
  readonly #setting: ThreadSetting;
  readonly #reserve: Reserve;
  readonly #events: BooksEvents;
  readonly #freeBytes: FreeBytes;
  /** Of the last call that told: what is opened anew goes on from there. */
  #now: Now;
  #open: OpenLedger;
  #damage: Damage | undefined;

  /** Errors as of `openLedger`. */
  constructor(
    setting: ThreadSetting,
    events: BooksEvents,
    freeBytes: FreeBytes = machineFreeBytes,
  ) {
    this.#setting = setting;
    this.#events = events;
    this.#freeBytes = freeBytes;
    this.#now = setting.now;
    this.#open = openLedger(setting, { freeBytes });
    this.#reserve = new Reserve(reserveIn(dirname(this.#open.opening.file)), freeBytes);
    this.#open.ledger.mayGrow(this.#reserve.present);
  }

  get opening(): Opening {
    return this.#open.opening;
  }

  /** Errors: codes of `Store`; after `store-damaged` call `condemn`. */
  answer(request: Request): Calls[CallName]['answer'] {
    if (request.call === 'close') {
      this.release();
      return undefined;
    }
    this.#now = nowOf(request) ?? this.#now;
    if (this.#damage !== undefined && request.call === 'commit') this.#mend();
    if (this.#damage !== undefined) throw this.#damage.reason;
    const { ledger } = this.#open;
    try {
      if (request.call === 'commit') return this.#commit(request.ask);
      return this.#withReserve(() => answer(ledger, request));
    } catch (error) {
      throw diskFailureIn(dirname(this.opening.file), error);
    } finally {
      const gaps = ledger.takeGaps();
      if (gaps.length > 0) this.#events.named(gaps);
    }
  }

  /** Lets go of the file; nothing is to be asked any more. */
  release(): void {
    this.#open.ledger.close();
  }

  /** Damage was found on use. */
  condemn(failure: OperatingError): void {
    if (this.#damage !== undefined) return;
    this.#damage = { failure, reason: failure };
    this.#mend();
  }

  /** What comes next goes into a new file, in an epoch not used before; tried until it can be. */
  #mend(): void {
    const damage = this.#damage;
    if (damage === undefined) return;
    try {
      const { ledger, opening } = this.#open;
      ledger.close();
      const aside = (damage.aside ??= setAside(opening.file, damage.failure));
      const least = Math.max(opening.epoch + 1, epochAfter(ledger.nextEntry));
      const newEpoch = Math.max(this.#setting.newEpoch, least);
      const how = { freeBytes: this.#freeBytes, aside };
      this.#open = openLedger({ ...this.#setting, newEpoch, now: this.#now }, how);
      this.#damage = undefined;
      this.#open.ledger.mayGrow(this.#reserve.present);
    } catch (error) {
      damage.reason = diskFailure(error);
      return;
    }
    this.#events.replaced(this.#open.opening);
  }

  #commit(batch: Batch): OwedBy {
    const { ledger } = this.#open;
    if (batch.kept.length === 0) return this.#withReserve(() => ledger.commit(batch));
    ledger.mayGrow(this.#reserve.restore() && !this.#reserve.scarce);
    try {
      return ledger.commit(batch);
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    this.#makeRoom(batch);
    return this.#commitWhatFits(batch);
  }

  /** What has no room goes without the least urgent in it, which is named. */
  #commitWhatFits(batch: Batch): OwedBy {
    try {
      return this.#open.ledger.commit(batch);
    } catch (error) {
      const lighter = isFull(error) ? withoutLeastUrgent(batch) : undefined;
      if (lighter === undefined) throw error;
      return this.#commitWhatFits(lighter);
    }
  }

  /** What is small, and makes room or must not be forgotten, is written on a full disk too. */
  #withReserve<Result>(run: () => Result): Result {
    try {
      return run();
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    this.#useReserve();
    return run();
  }

  /** The reserve stays for the acknowledgements: appends take the place of what is dropped. */
  #makeRoom(batch: Batch): void {
    const { ledger } = this.#open;
    ledger.mayGrow(false);
    ledger.makeRoom(batch);
  }

  #useReserve(): void {
    const { ledger } = this.#open;
    this.#reserve.release();
    ledger.mayGrowBy(SPARE_PAGES);
    ledger.truncateLog(); // makes the file as long as its confirmed pages, which were counted
  }
}

function isFull(error: unknown): boolean {
  return failureOf(diskFailure(error)).code === 'disk-full';
}

function nowOf({ ask }: Request): Now | undefined {
  return typeof ask === 'object' && 'now' in ask ? ask.now : undefined;
}

function answer(ledger: Ledger, request: Exclude<Request, { call: 'commit' | 'close' }>) {
  switch (request.call) {
    case 'quarantine':
      return ledger.quarantine(request.ask);
    case 'resend':
      return ledger.resend(request.ask);
    case 'discard':
      return ledger.discard(request.ask);
    case 'receive':
      return ledger.receive(request.ask);
    case 'standing':
      return ledger.standing(request.ask);
    case 'told':
      ledger.told(request.ask);
      return undefined;
    case 'believe':
      ledger.believe(request.ask.now);
      return undefined;
    default:
      return look(ledger, request);
  }
}

type Look =
  'due' | 'peek' | 'quarantined' | 'entry' | 'streams' | 'traffic' | 'observations' | 'counts';

/** What changes nothing, but that what is damaged is kept apart. */
function look(ledger: Ledger, request: Extract<Request, { call: Look }>) {
  switch (request.call) {
    case 'due':
      return ledger.due(request.ask);
    case 'peek':
      return ledger.peek(request.ask);
    case 'quarantined':
      return ledger.quarantined(request.ask);
    case 'entry':
      return ledger.entry(request.ask);
    case 'streams':
      return ledger.streams(request.ask);
    case 'traffic':
      return ledger.traffic(request.ask);
    case 'observations':
      return ledger.observations(request.ask);
    case 'counts':
      return ledger.counts();
  }
}
