import { bytesFromLatin1 } from '#bytes/text.ts';
import type { LineChange } from '../dlms/apdu-link.ts';
import type { Identification } from './identification.ts';
import type { SignOnOptions } from './sign-on-options.ts';

/** What is said to a meter that has identified itself, and how the line changes after it. */
export interface ModeChoice {
  /** Absent where the meter goes on without being told. */
  readonly select?: Uint8Array;
  /** Absent where the line stays as it is. */
  readonly line?: Pick<LineChange, 'rate' | 'format'>;
}

type Rates = Required<Pick<SignOnOptions, 'rate' | 'rateMax'>>;

const ACK = 0x06;
const LINE_FEED = 0x0a;

/** Z of modes C and E, by digit, and of mode B, by letter (IEC 62056-21, 6.3.14, item 13). */
const RATES: Readonly<Record<string, number>> = {
  ...{ 0: 300, 1: 600, 2: 1200, 3: 2400, 4: 4800, 5: 9600, 6: 19_200 },
  ...{ A: 600, B: 1200, C: 2400, D: 4800, E: 9600, F: 19_200 },
};

/** The binary mode (Annex E). */
export function binaryMode({ baudCharacter }: Identification, rates: Rates): ModeChoice {
  const [character, rate] = rateOf(baudCharacter, rates);
  return { select: option('2', character, '2'), line: { rate, format: '8N1' } };
}

/** The data read-out (6.3). Mode B changes by itself and mode A not at all: neither is told. */
export function readoutMode({ baudCharacter }: Identification, rates: Rates): ModeChoice {
  if (/\d/.test(baudCharacter)) {
    const [character, rate] = rateOf(baudCharacter, rates);
    return { select: option('0', character, '0'), line: { rate, format: '7E1' } };
  }
  const rate = RATES[baudCharacter];
  return rate === undefined ? {} : { line: { rate, format: '7E1' } };
}

/** The meter's rate, or else the one that is in use: nothing in between can be agreed. */
function rateOf(
  baudCharacter: string,
  { rate: first, rateMax }: Rates,
): readonly [character: string, rate: number] {
  const rate = /\d/.test(baudCharacter) ? RATES[baudCharacter] : undefined;
  return rate === undefined || rate > rateMax ? ['0', first] : [baudCharacter, rate];
}

/** Acknowledgement and option select (IEC 62056-21, 6.3.3): protocol, rate, mode. */
function option(protocol: string, rate: string, mode: string): Uint8Array {
  return Uint8Array.of(ACK, ...bytesFromLatin1(`${protocol}${rate}${mode}\r\n`));
}

/** ACK V Z Y CR LF. */
const CONFIRMATION = 6;

/** The meter repeats the choice at the new rate, still with parity (Annex E.2). */
export class Confirmation {
  #latest: number[] = [];

  /** Whether it is whole. */
  push(character: number): boolean {
    this.#latest = [...this.#latest.slice(1 - CONFIRMATION), character];
    const begun = this.#latest.length === CONFIRMATION && this.#latest[0] === ACK;
    return begun && character === LINE_FEED;
  }
}
