import { OperatingError } from '#bytes/failure.ts';

/**
 * One data set of a read-out (IEC 62056-21, 6.5): `address(value*unit)`, and as P1 and load
 * profiles have it, with several parenthesised values.
 */
export interface DataSet {
  /** As written, e.g. `1-0:1.8.1`, `6.26*01`, `F`; empty where a line only goes on with values. */
  readonly address: string;
  readonly values: readonly DataValue[];
  /** Where its address begins. */
  readonly offset: number;
}

/** What stands between two parentheses, as written. */
export interface DataValue {
  readonly text: string;
  /** What follows the `*`; empty if none does. */
  readonly unit: string;
}

/** A decimal number exactly as it was written: `raw × 10^scaler`. */
export interface Decimal {
  readonly raw: number | bigint;
  readonly scaler: number;
}

/** OBIS with all groups is 23 characters; the standard gives addresses 16. */
const ADDRESS_CHARACTERS_MAX = 32;

const DATA_SET = /([^()\r\n]*)((?:\([^()\r\n]*\))+)/y;
const LINE_BREAKS = /[\r\n]*/y;

/**
 * The data sets of a text, on lines or one after the other. `offset` is where the text begins in
 * what was received. Errors: `bad-data-set` with the place of the first that is none.
 */
export function dataSetsOf(text: string, offset = 0): readonly DataSet[] {
  const sets: DataSet[] = [];
  let index = pastLineBreaks(text, 0);
  while (index < text.length) {
    DATA_SET.lastIndex = index;
    const match = DATA_SET.exec(text);
    const [all = '', address = '', values = ''] = match ?? [];
    if (match === null || address.length > ADDRESS_CHARACTERS_MAX) {
      throw new OperatingError('bad-data-set', 'not address(value*unit)', {
        offset: offset + index,
        field: 'data-set',
      });
    }
    sets.push({ address, values: dataValuesOf(values), offset: offset + index });
    index = pastLineBreaks(text, index + all.length);
  }
  return sets;
}

function pastLineBreaks(text: string, index: number): number {
  LINE_BREAKS.lastIndex = index;
  LINE_BREAKS.test(text);
  return LINE_BREAKS.lastIndex;
}

function dataValuesOf(text: string): DataValue[] {
  return text
    .slice(1, -1)
    .split(')(')
    .map((value) => {
      const star = value.indexOf('*');
      // `088*C&082*C` holds two values in one: it stays a text, as written.
      if (star < 0 || value.includes('&')) return { text: value, unit: '' };
      return { text: value.slice(0, star), unit: value.slice(star + 1) };
    });
}

/** The set as it was written. */
export function textOfValues(values: readonly DataValue[]): string {
  return values.map(({ text, unit }) => `(${text}${unit === '' ? '' : `*${unit}`})`).join('');
}

const DECIMAL = /^([+-]?)(\d{1,32})(?:\.(\d{1,32}))?$/;

/** `00060995.424` as 60995424 and -3; `undefined` for what is no decimal number. */
export function decimalOf(text: string): Decimal | undefined {
  const [, sign = '', whole = '', fraction = ''] = DECIMAL.exec(text) ?? [];
  if (whole === '') return undefined;
  const exact = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n);
  const raw = Number(exact);
  const scaler = fraction === '' ? 0 : -fraction.length;
  return { raw: Number.isSafeInteger(raw) ? raw : exact, scaler };
}

const COMPLETE_CODE = /^(\d{1,3})-(\d{1,3}):(\d{1,3})[.:](\d{1,3})\.(\d{1,3})(?:\*(\d{1,3}))?$/;

/**
 * The object that an address names: a code with the groups A to E is completed by F = 255
 * (IEC 62056-61, 4.7), a shorter one stays as written. DSMR 4.0 prints `1-0:99:97.0`, and meters
 * follow it: the second colon is read as the dot it was meant to be.
 */
export function objectOf(address: string): string {
  const match = COMPLETE_CODE.exec(address);
  if (match === null) return address;
  const [, a, b, c, d, e, f = '255'] = match;
  return `${a}-${b}:${c}.${d}.${e}*${f}`;
}
