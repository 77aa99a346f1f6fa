import { createHash } from 'node:crypto';
import { Reader } from '#bytes/cursor.ts';
import { formsOfPack, formsOfRecords } from '#contract/records.ts';
import { readItem } from '#reading/senml-cbor.ts';
import { LABEL, OWN } from '#reading/senml-labels.ts';
import type { ContentKey } from '#reading/senml.ts';
import type { Output } from '#store/store.ts';
import type { Epochs, Life, Named, Obligation, StreamAccount } from './account.ts';
import { unaccounted } from './account.ts';
import type { Diary } from './diary.ts';

export interface ObligationsOptions {
  /** Streams of devices without a clock: when an observation was made is only known later. */
  readonly undated?: (stream: string) => boolean;
  /**
   * Numbers named as a gap may still come, out of their order: somebody sent them again. So may
   * those that the back-end itself had lost, and those that a broker refused (decision 0004).
   */
  readonly mayBeLate?: (stream: string, epoch: number, sequence: number) => boolean;
}

/**
 * Holds the contract (decision 0006) against what a back-end got: nothing that was not given,
 * nothing twice under two numbers, no number with two contents, and in order. `unaccounted` asks
 * at the end whether something is missing that no gap names.
 */
export class Obligations {
  readonly #backend: string;
  readonly #diary: Diary;
  readonly #options: Required<ObligationsOptions>;
  readonly streams = new Map<string, StreamAccount>();
  repeats = 0;

  constructor(backend: string, diary: Diary, options: ObligationsOptions = {}) {
    this.#backend = backend;
    this.#diary = diary;
    this.#options = { undated: () => false, mayBeLate: () => false, ...options };
  }

  /** An output is given to the store. */
  given({ stream, records }: Output): Obligation {
    const account = this.#account(stream);
    const [form] = formsOfRecords(records);
    const obligation: Obligation = { outcome: 'unknown', seen: false };
    if (form === undefined) return obligation;
    account.places.set(this.#digest(stream, form), account.obligations.length);
    account.obligations.push(obligation);
    return obligation;
  }

  /** A pack came to the back-end; answers what it says it is. */
  came(lane: 'up' | 'lv', stream: string, payload: Uint8Array): ContentKey {
    const { key, forms } = formsOfPack(payload);
    if (key.stream !== stream) this.#broken(stream, `a pack of ${key.stream}`);
    const account = this.#account(stream);
    const life = this.lifeOf(stream, key.epoch);
    for (const [index, bytes] of forms.entries()) {
      const place = { epoch: key.epoch, sequence: key.sequence + index };
      const form = this.#digest(stream, bytes);
      const { contents, copies } = life;
      const known = contents.get(place.sequence) ?? copies.get(place.sequence);
      if (known !== undefined && known !== form) {
        this.#broken(stream, `number ${place.sequence} of epoch ${key.epoch} has two contents`);
      } else if (lane === 'lv') this.#copied(stream, account, life, place, form);
      else if (contents.has(place.sequence)) this.repeats += 1;
      else this.#first(stream, account, life, place, form);
    }
    return key;
  }

  /** The broker has a pack in time, whatever becomes of it. */
  heard(stream: string, payload: Uint8Array): ContentKey {
    const { obligations, places } = this.#account(stream);
    const { key, forms } = formsOfPack(payload);
    for (const form of forms) {
      const obligation = obligations[places.get(this.#digest(stream, form)) ?? -1];
      if (obligation !== undefined) obligation.seen = true;
    }
    return key;
  }

  lifeOf(stream: string, epoch: number): Life {
    const { lives } = this.#account(stream);
    const life = lives.get(epoch) ?? newLife();
    lives.set(epoch, life);
    return life;
  }

  /** The store's file has been set aside: what was in it cannot be asked for. */
  damaged(): void {
    for (const { obligations } of this.streams.values()) {
      for (const obligation of obligations) {
        const { delivered, outcome } = obligation;
        if (delivered === undefined && outcome !== 'refused') obligation.outcome = 'damaged';
      }
    }
  }

  /** What is missing at the end although it was confirmed and no gap names it. */
  settle(named: readonly Named[], epochs: Epochs): void {
    for (const [stream, account] of this.streams) {
      const mine = named.filter((one) => one.stream === stream);
      const what = unaccounted(account, mine, epochs);
      if (what !== undefined) this.#broken(stream, what);
    }
  }

  #copied(
    stream: string,
    account: StreamAccount,
    life: Life,
    { epoch, sequence }: { readonly epoch: number; readonly sequence: number },
    form: string,
  ): void {
    life.copies.set(sequence, form);
    const obligation = account.obligations[account.places.get(form) ?? -1];
    if (obligation !== undefined) obligation.seen = true;
    else this.#broken(stream, `the copy of ${sequence} of epoch ${epoch} was never given`);
  }

  #first(
    stream: string,
    account: StreamAccount,
    life: Life,
    { epoch, sequence }: { readonly epoch: number; readonly sequence: number },
    form: string,
  ): void {
    const place = account.places.get(form);
    const obligation = account.obligations[place ?? -1];
    const which = `number ${sequence} of epoch ${epoch}`;
    if (place === undefined || obligation === undefined) {
      this.#broken(stream, `${which} was never given to the store`);
      return;
    }
    if (obligation.delivered !== undefined) {
      this.#broken(stream, `${which} had come as ${obligation.delivered.sequence} before`);
    }
    if (obligation.outcome === 'refused') this.#broken(stream, `${which} had been refused`);
    life.contents.set(sequence, form);
    life.copies.delete(sequence);
    obligation.delivered = { epoch, sequence };
    obligation.seen = true;
    const late = sequence <= life.last || place <= life.lastPlace;
    if (late && this.#options.mayBeLate(stream, epoch, sequence)) return;
    if (sequence <= life.last) this.#broken(stream, `${which} comes after ${life.last}`);
    if (place <= life.lastPlace) this.#broken(stream, `${which} comes after a later one`);
    life.last = sequence;
    life.lastPlace = place;
  }

  #digest(stream: string, form: Uint8Array): string {
    const content = this.#options.undated(stream) ? withoutTime(form) : form;
    return createHash('sha256').update(content).digest('base64').slice(0, DIGEST_LENGTH);
  }

  #broken(stream: string, what: string): void {
    this.#diary.broken(`${this.#backend}/${stream}: ${what}`);
  }

  #account(stream: string): StreamAccount {
    const known = this.streams.get(stream);
    if (known !== undefined) return known;
    const account: StreamAccount = { obligations: [], places: new Map(), lives: new Map() };
    this.streams.set(stream, account);
    return account;
  }
}

const DIGEST_LENGTH = 20;

function newLife(): Life {
  return { contents: new Map(), copies: new Map(), last: -1, lastPlace: -1 };
}

/** All that the correction of a time leaves as it is. */
function withoutTime(form: Uint8Array): string {
  const reader = new Reader(form);
  const kept: unknown[] = [];
  while (reader.remaining > 0) {
    const record = readItem(reader, 'record', 1);
    if (!(record instanceof Map)) continue;
    kept.push([...record].filter(([label]) => !TIMES.has(label)));
  }
  return JSON.stringify(kept, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

const TIMES: ReadonlySet<unknown> = new Set([LABEL.bt, LABEL.t, OWN.baseClock, OWN.clock]);
