import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { crc16Arc } from '#bytes/crc.ts';
import { latin1FromBytes } from '#bytes/text.ts';
import type { DataSet, DataValue } from '../iec62056-21/data-set.ts';
import { dataSetsOf, objectOf } from '../iec62056-21/data-set.ts';
import { identificationOf } from '../iec62056-21/readout.ts';
import type { P1Time } from './time.ts';
import { p1TimeOf } from './time.ts';

/** One telegram of a P1 port (DSMR 2.2 to 5.0, eMUCS and their relatives). */
export interface P1Telegram {
  /** Three letters of the manufacturer. */
  readonly manufacturer: string;
  /** What follows the baud character, e.g. `\2MT382-1000`. */
  readonly identification: string;
  /** The meter's clock (`0-0:1.0.0`); absent where it has none or shows no date that exists. */
  readonly time?: P1Time;
  readonly objects: readonly P1Object[];
  /** CRC16 over `/` to `!`; meters before DSMR 4 send none. */
  readonly check: 'good' | 'bad' | 'absent';
  /** Lines that are no data sets, left out of `objects`. */
  readonly unread: readonly Failure[];
  /** Of a ciphered telegram: whether its authentication tag was checked. */
  readonly ciphered?: { readonly verified: boolean; readonly systemTitle: Uint8Array };
  /** It came in clear although there are keys, so nothing proves that the meter sent it. */
  readonly unverified?: true;
}

/** A line `A-B:C.D.E(value*unit)…`; with DSMR 2 and 3 the next line may go on with values. */
export interface P1Object {
  /** With all groups, e.g. `1-0:1.8.1*255`; a shorter address stays as written. */
  readonly object: string;
  readonly values: readonly DataValue[];
  /** Where the line begins in the telegram. */
  readonly offset: number;
}

/** The longest texts and load histories in use make 4 kB; DSMR text messages 2 kB. */
export const TELEGRAM_BYTES_MAX = 16 << 10;

const CLOCK = '0-0:1.0.0*255';
const END_OF_DATA = 0x21; // !

/**
 * Reads one telegram that begins with `/`, up to its `!` and CRC; one that was cut before `!` is
 * read as far as it goes. The CRC is judged, not enforced.
 * Errors: `too-long`, `bad-identification`, `bad-data-set` where a line follows no object.
 */
export function decodeP1Telegram(bytes: Uint8Array): P1Telegram {
  if (bytes.length > TELEGRAM_BYTES_MAX) {
    throw new OperatingError('too-long', `a telegram of ${bytes.length} bytes`, { offset: 0 });
  }
  const end = endOfData(bytes);
  const text = latin1FromBytes(bytes, 0, end);
  const headEnd = lineEnd(text, 0);
  const { manufacturer, identification } = identificationOf(text.slice(0, headEnd).trimEnd());
  const { objects, unread } = linesOf(text, headEnd);
  const clock = objects.find(({ object }) => object === CLOCK)?.values[0]?.text ?? '';
  const time = p1TimeOf(clock);
  return {
    manufacturer,
    identification,
    ...(time === undefined ? {} : { time }),
    objects,
    check: checkOf(bytes, end),
    unread,
  };
}

/** Index of the `!` that begins a line, or the length where it is missing. */
function endOfData(bytes: Uint8Array): number {
  for (let index = 1; index < bytes.length; index += 1) {
    if (bytes[index] === END_OF_DATA && bytes[index - 1] === 0x0a) return index;
  }
  return bytes.length;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function linesOf(text: string, from: number): Pick<P1Telegram, 'objects' | 'unread'> {
  const objects: P1Object[] = [];
  const unread: Failure[] = [];
  for (let start = from + 1; start < text.length; start = lineEnd(text, start) + 1) {
    const line = text.slice(start, lineEnd(text, start)).trimEnd();
    try {
      for (const set of dataSetsOf(line, start)) addSet(objects, set);
    } catch (error) {
      unread.push(failureOf(error));
    }
  }
  return { objects, unread };
}

/**
 * Whether a telegram says that it follows a version which ends in a CRC, so that one without it
 * has lost it: DSMR from 4.0 on (P1 4.0, 5.2) and eMUCS, which has its own object for the version.
 */
export function owesCrc({ objects }: Pick<P1Telegram, 'objects'>): boolean {
  const version = objects.find(({ object }) => object === DSMR_VERSION)?.values[0]?.text;
  if (version !== undefined) return Number(version) >= DSMR_WITH_CRC;
  return objects.some(({ object }) => object === EMUCS_VERSION);
}

const DSMR_VERSION = '1-3:0.2.8*255';
const DSMR_WITH_CRC = 40;
const EMUCS_VERSION = '0-0:96.1.4*255';

/** Values on a line of their own belong to the object before: DSMR 3.0 P1, 6.10, gas readings. */
function addSet(objects: P1Object[], { address, values, offset }: DataSet): void {
  if (address !== '') {
    objects.push({ object: objectOf(address), values, offset });
    return;
  }
  const before = objects.pop();
  if (before === undefined) {
    throw new OperatingError('bad-data-set', 'values without an object', { offset });
  }
  objects.push({ ...before, values: [...before.values, ...values] });
}

/** DSMR 5.0.2 P1, 5.2. Some meters print the CRC without its leading zeros. */
function checkOf(bytes: Uint8Array, end: number): P1Telegram['check'] {
  const digits = latin1FromBytes(bytes, end + 1, Math.min(end + 5, bytes.length));
  const [claimed = ''] = digits.split(/[\r\n/\0]/, 1);
  if (claimed === '') return 'absent';
  if (!/^[0-9A-Fa-f]+$/.test(claimed)) return 'bad';
  return Number.parseInt(claimed, 16) === crc16Arc(bytes, 0, end + 1) ? 'good' : 'bad';
}
