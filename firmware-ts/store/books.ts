import { dirname, join } from 'node:path';
import { OperatingError } from '#bytes/failure.ts';
import { type OpenLedger, openLedger, setAside } from './database.ts';
import { diskFailure } from './disk-failure.ts';
import type { Batch, CallName, Calls, Request, ThreadSetting } from './messages.ts';
import { Reserve } from './reserve.ts';
import { epochAfter } from './schema.ts';
import type { Opening, SetAside } from './store.ts';

/** The file in use is damaged; nothing is read or written until another one is open. */
interface Damage {
  /** What the calls are answered with: the damage, then why no other file could be begun. */
  reason: unknown;
  readonly failure: OperatingError;
  setAside?: SetAside;
}

/**
 * The ledger through its life: replaced when its file turns out damaged, and kept from growing
 * while the disk has no room for the reserve, so that acknowledgements are taken in any case.
 */
export class Books {
  readonly #setting: ThreadSetting;
  readonly #reserve: Reserve;
  readonly #replaced: (opening: Opening) => void;
  #open: OpenLedger;
  #damage: Damage | undefined;

  /** Errors as of `openLedger`. */
  constructor(setting: ThreadSetting, replaced: (opening: Opening) => void) {
    this.#setting = setting;
    this.#replaced = replaced;
    this.#open = openLedger(setting);
    this.#reserve = new Reserve(join(dirname(this.#open.opening.file), 'reserve'));
    this.#open.ledger.mayGrow(this.#reserve.present);
  }

  get opening(): Opening {
    return this.#open.opening;
  }

  /** Errors: codes of `Store`; after `store-damaged` call `condemn`. */
  answer(request: Request): Calls[CallName]['answer'] {
    const closing = request.call === 'close';
    if (this.#damage !== undefined && request.call === 'commit') this.#mend();
    if (this.#damage !== undefined && !closing) throw this.#damage.reason;
    const { ledger } = this.#open;
    switch (request.call) {
      case 'commit':
        return this.#commit(request.ask);
      case 'due':
        return ledger.due(request.ask);
      case 'observations':
        return ledger.observations(request.ask);
      case 'counts':
        return ledger.counts();
      case 'close':
        ledger.close();
        return undefined;
    }
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
      damage.setAside ??= setAside(opening.file, damage.failure);
      const least = Math.max(opening.epoch + 1, epochAfter(ledger.nextEntry));
      const newEpoch = Math.max(this.#setting.newEpoch, least);
      const anew = openLedger({ ...this.#setting, newEpoch });
      this.#open = { ...anew, opening: { setAside: damage.setAside, ...anew.opening } };
      this.#damage = undefined;
      this.#open.ledger.mayGrow(this.#reserve.present);
    } catch (error) {
      damage.reason = diskFailure(error);
      return;
    }
    this.#replaced(this.#open.opening);
  }

  #commit(batch: Batch): readonly string[] {
    const { ledger } = this.#open;
    if (batch.appends.length > 0) {
      if (!this.#reserve.present && this.#reserve.restore()) ledger.mayGrow(true);
      return ledger.commit(batch);
    }
    try {
      return ledger.commit(batch);
    } catch (error) {
      const failure = diskFailure(error);
      if (!(failure instanceof OperatingError) || failure.code !== 'disk-full') throw failure;
    }
    this.#reserve.release();
    ledger.mayGrow(false);
    ledger.truncateLog(); // makes the file as long as its confirmed pages, which were counted
    return ledger.commit(batch);
  }
}
