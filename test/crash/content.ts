import type { Append } from '#store/store.ts';
import { seeded } from '../support/seeded.ts';

export const SOURCES = ['meter1', 'meter2', 'pmu'] as const;
export const BACKENDS = ['utility', 'aggregator'] as const;

/** Most are a meter's message; some are profiles, which fill many pages of the log. */
function lengthOf(number: number): number {
  if (number % 41 === 5) return 60_000;
  return number % 10 === 3 ? 2_500 : 190;
}

export function sourceOf(number: number): string {
  return SOURCES[number % SOURCES.length] ?? SOURCES[0];
}

/** Most go to both back-ends, some to one, some stay at home. */
export function owedTo(number: number): readonly string[] {
  if (number % 13 === 7) return [];
  return number % 5 === 0 ? BACKENDS.slice(0, 1) : BACKENDS;
}

export function numbered(number: number): Append {
  const source = sourceOf(number);
  const bytes = bytesOf(number);
  return {
    source,
    observation: bytes,
    readings: 1,
    takenMs: 1_800_000_000_000 + number,
    outputs: owedTo(number).map((backend) => {
      return {
        backend,
        stream: source,
        class: 'measurement',
        records: bytes,
        recordCount: 1,
        readings: 1,
      };
    }),
  };
}

/** The numbers in bytes that lie one after another; throws where an octet is not as written. */
export function numbersIn(bytes: Uint8Array): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const number = view.getUint32(at);
    const expected = bytesOf(number);
    const found = bytes.subarray(at, at + expected.length);
    if (Buffer.compare(expected, found) !== 0) throw new Error(`content ${number} is altered`);
    numbers.push(number);
    at += expected.length;
  }
  return numbers;
}

/** Octets that no compressor makes shorter. */
const NOISE = seeded(1).bytes(1 << 17);

/** The number, the length of all, and noise. */
function bytesOf(number: number): Uint8Array {
  const from = (number * 977) % (1 << 16);
  const bytes = NOISE.slice(from, from + lengthOf(number));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, number);
  view.setUint32(4, bytes.length);
  return bytes;
}
