import { Reader } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { readArrayLength, readItem } from '#reading/senml-cbor.ts';
import { PACK_BYTES_MAX } from '#reading/senml-decode.ts';
import { VERSION } from '#reading/senml-labels.ts';
import { NAME } from '#reading/senml-names.ts';
import type { ContentKey } from '#reading/senml.ts';
import { endOfItem } from './cbor-item.ts';

/** A payload taken apart: what it says it is, and the canonical form of each observation in it. */
export interface PackForms {
  readonly key: ContentKey;
  /** As many as `key.count`; views of the payload wherever that is possible. */
  readonly forms: readonly Uint8Array[];
}

/**
 * The canonical forms of observations stored one after another, as `encodeRecords` wrote them. An
 * observation begins with each record that has a base time (`bt`), and its form is its records
 * without `bver`: the same bytes from any packing. Errors: those of `endOfItem`, `bad-record`.
 */
export function formsOfRecords(records: Uint8Array): readonly Uint8Array[] {
  const splitter = new Splitter(records, 0);
  while (splitter.at < records.length) splitter.record();
  return splitter.finish();
}

/**
 * The same from a payload in SenML-CBOR. All that the chain does not cover is checked here: `bver`
 * is that of secondary units, base name and content key stand once, at the very front.
 * Errors: those of `readItem` and `endOfItem`, `too-large`, `bad-record`, `bad-key`, `bad-count`,
 * `trailing-bytes`.
 */
export function formsOfPack(payload: Uint8Array): PackForms {
  if (payload.length > PACK_BYTES_MAX) fail('too-large', 0, 'pack');
  const reader = new Reader(payload);
  const recordCount = readArrayLength(reader, 'pack');
  if (recordCount === 0) fail('bad-count', 0, 'pack');
  const splitter = new Splitter(payload, reader.offset);
  const key = splitter.firstRecord();
  for (let record = 1; record < recordCount; record += 1) splitter.record();
  if (splitter.at < payload.length) fail('trailing-bytes', splitter.at, 'pack');
  const forms = splitter.finish();
  if (forms.length !== key.count) fail('bad-count', 0, 'k');
  return { key, forms };
}

/** Lead bytes of the labels that tell something here; normd writes the shortest form. */
const LEAD = { bver: 0x20, bn: 0x21, bt: 0x22, key: 0x61 } as const;
const KEY_CHARACTER = 0x6b; // k
const MAP = 0xa0;
/** More pairs than labels there are, and one byte of map head still holds the number. */
const PAIRS_MAX = 23;

class Splitter {
  readonly #bytes: Uint8Array;
  readonly #forms: Uint8Array[] = [];
  at: number;
  /** Of the observation that is being passed over: where its kept pairs begin, and how many. */
  #body = -1;
  #pairs = 0;
  #dropped = false;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** Passes over one record; it ends the observation before it if it has a base time. */
  record(): void {
    const start = this.at;
    this.#rest(start, this.#pairCount(), false);
  }

  /** The first record of a pack; it begins with `bver` (or not), `bn` and `k`. */
  firstRecord(): ContentKey {
    const start = this.at;
    const pairs = this.#pairCount();
    const versioned = this.#bytes[this.at] === LEAD.bver;
    if (versioned) this.#passVersion();
    const reader = new Reader(this.#bytes, this.at);
    const key = readKey(reader);
    this.at = reader.offset;
    this.#rest(start, pairs - 2 - Number(versioned), true);
    return key;
  }

  /** All forms, the last observation ended. */
  finish(): readonly Uint8Array[] {
    if (this.#body >= 0) this.#end(this.at);
    return this.#forms;
  }

  /** What follows the pairs that only a pack has. */
  #rest(start: number, pairs: number, based: boolean): void {
    const versioned = !based && this.#bytes[this.at] === LEAD.bver;
    if (versioned) this.#passVersion();
    const body = this.at;
    const kept = pairs - Number(versioned);
    let begins = false;
    for (let pair = 0; pair < kept; pair += 1) begins = this.#pair() || begins;
    if (!begins && (versioned || this.#body < 0)) fail('bad-record', start, 'bt');
    if (!begins) return;
    if (this.#body >= 0) this.#end(start);
    this.#body = body;
    this.#pairs = kept;
    this.#dropped = based || versioned;
  }

  #pairCount(): number {
    const pairs = (this.#bytes[this.at] ?? fail('truncated', this.at, 'record')) - MAP;
    if (pairs < 1 || pairs > PAIRS_MAX) fail('bad-record', this.at, 'record');
    this.at += 1;
    return pairs;
  }

  /** Passes over a pair that the form keeps, and tells whether it is the base time. */
  #pair(): boolean {
    const at = this.at;
    const lead = this.#bytes[at] ?? fail('truncated', at, 'label');
    const reserved =
      lead === LEAD.bver ||
      lead === LEAD.bn ||
      (lead === LEAD.key && this.#bytes[at + 1] === KEY_CHARACTER);
    if (reserved || !isShortLabel(lead)) fail('bad-record', at, 'label');
    const text = lead >>> 5 === 3 ? lead & 0x1f : 0;
    this.at = endOfItem(this.#bytes, at + 1 + text);
    return lead === LEAD.bt;
  }

  #passVersion(): void {
    const { at } = this;
    if (this.#bytes[at + 1] !== 0x18 || this.#bytes[at + 2] !== VERSION.secondaryUnits) {
      fail('bad-record', at, 'bver');
    }
    this.at = at + 3;
  }

  #end(end: number): void {
    if (this.#dropped) {
      // A copy: `slice` of a Buffer, which a caller may well hand in, would be a view.
      const form = new Uint8Array(this.#bytes.subarray(this.#body - 1, end));
      form[0] = MAP | this.#pairs;
      this.#forms.push(form);
    } else this.#forms.push(this.#bytes.subarray(this.#body - 1, end));
    this.#body = -1;
  }
}

/** An integer of one byte, or a text whose length is in its lead byte. */
function isShortLabel(lead: number): boolean {
  const major = lead >>> 5;
  return (lead & 0x1f) < 24 && (major === 0 || major === 1 || major === 3);
}

const NAMES = new RegExp(`^(${NAME.slice(1, -1)})/(${NAME.slice(1, -1)})/$`);

/** `bn` and `k`, in this order. */
function readKey(reader: Reader): ContentKey {
  const offset = reader.offset;
  const [nameLabel, name] = [readItem(reader, 'bn'), readItem(reader, 'bn')];
  const [keyLabel, numbers] = [readItem(reader, 'k'), readItem(reader, 'k')];
  const names = typeof name === 'string' ? NAMES.exec(name) : null;
  if (nameLabel !== -2 || keyLabel !== 'k' || names === null) fail('bad-key', offset, 'bn');
  const [epoch, sequence, count, ...more] = Array.isArray(numbers) ? (numbers as unknown[]) : [];
  if (!isNumber(epoch) || !isNumber(sequence) || !isNumber(count) || more.length > 0) {
    fail('bad-key', offset, 'k');
  }
  if (!isNumber(sequence + count)) fail('bad-key', offset, 'k');
  return { gateway: names[1] ?? '', stream: names[2] ?? '', epoch, sequence, count };
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function fail(code: string, offset: number, field: string): never {
  throw new OperatingError(code, 'no records as normd writes them', { offset, field });
}
