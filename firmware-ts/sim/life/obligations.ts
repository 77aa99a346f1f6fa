import { createHash } from 'node:crypto';
import { formsOfPack, formsOfRecords } from '#contract/records.ts';
import type { Output } from '#store/store.ts';
import type { Diary } from './diary.ts';
import type { Life, Named, Obligation, StreamAccount } from './account.ts';
import { unaccounted } from './account.ts';

/**
 * Holds the contract (decision 0006) against what a back-end got: nothing that was not given,
 * nothing twice under two numbers, no number with two contents, and in order. `unaccounted` asks
 * at the end whether something is missing that no gap names.
 */
export class Obligations {
  readonly #backend: string;
  readonly #diary: Diary;
  readonly streams = new Map<string, StreamAccount>();
  repeats = 0;

  constructor(backend: string, diary: Diary) {
    this.#backend = backend;
    this.#diary = diary;
  }

  /** An output is given to the store. */
  given({ stream, records }: Output): Obligation {
    const account = this.#account(stream);
    const [form] = formsOfRecords(records);
    const obligation: Obligation = { outcome: 'unknown' };
    if (form === undefined) return obligation;
    account.places.set(digest(form), account.obligations.length);
    account.obligations.push(obligation);
    return obligation;
  }

  /** A pack of the ordered lane came to the back-end. */
  came(stream: string, payload: Uint8Array): void {
    const { key, forms } = formsOfPack(payload);
    if (key.stream !== stream) this.#broken(stream, `a pack of ${key.stream}`);
    const account = this.#account(stream);
    const life: Life = account.lives.get(key.epoch) ?? {
      contents: new Map<number, string>(),
      last: -1,
    };
    account.lives.set(key.epoch, life);
    for (const [index, bytes] of forms.entries()) {
      const sequence = key.sequence + index;
      const form = digest(bytes);
      const known = life.contents.get(sequence);
      if (known === undefined) this.#first(stream, account, key.epoch, sequence, form);
      else if (known === form) this.repeats += 1;
      else this.#broken(stream, `number ${sequence} of epoch ${key.epoch} has two contents`);
    }
  }

  /** What is missing at the end although it was confirmed and no gap names it. */
  settle(named: readonly Named[]): void {
    for (const [stream, account] of this.streams) {
      const what = unaccounted(
        account,
        named.filter((one) => one.stream === stream),
      );
      if (what !== undefined) this.#broken(stream, what);
    }
  }

  #first(
    stream: string,
    account: StreamAccount,
    epoch: number,
    sequence: number,
    form: string,
  ): void {
    const life = account.lives.get(epoch);
    const place = account.places.get(form);
    const obligation = account.obligations[place ?? -1];
    const which = `number ${sequence} of epoch ${epoch}`;
    if (life === undefined || place === undefined || obligation === undefined) {
      this.#broken(stream, `${which} was never given to the store`);
      return;
    }
    if (obligation.delivered !== undefined) {
      this.#broken(stream, `${which} had come as ${obligation.delivered.sequence} before`);
    }
    if (obligation.outcome === 'refused') this.#broken(stream, `${which} had been refused`);
    if (sequence <= life.last) this.#broken(stream, `${which} comes after ${life.last}`);
    if (place <= account.lastPlace) this.#broken(stream, `${which} comes after a later one`);
    life.contents.set(sequence, form);
    life.last = sequence;
    account.lastPlace = place;
    obligation.delivered = { epoch, sequence };
  }

  #broken(stream: string, what: string): void {
    this.#diary.broken(`${this.#backend}/${stream}: ${what}`);
  }

  #account(stream: string): StreamAccount {
    const known = this.streams.get(stream);
    if (known !== undefined) return known;
    const account: StreamAccount = {
      obligations: [],
      places: new Map(),
      lives: new Map(),
      lastPlace: -1,
    };
    this.streams.set(stream, account);
    return account;
  }
}

const DIGEST_LENGTH = 20;

function digest(form: Uint8Array): string {
  return createHash('sha256').update(form).digest('base64').slice(0, DIGEST_LENGTH);
}
