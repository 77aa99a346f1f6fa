import { formsOfRecords } from '#contract/records.ts';
import { encodeRecords } from '#reading/senml.ts';
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
  const records = recordsOf(number);
  return {
    source,
    observation: records,
    readings: 1,
    takenMs: 1_800_000_000_000 + number,
    outputs: owedTo(number).map((backend) => {
      return {
        backend,
        stream: source,
        class: 'measurement',
        records,
        recordCount: 1,
        readings: 1,
      };
    }),
  };
}

/** What a chain covers of an observation. */
export function formOf(number: number): Uint8Array {
  const known = forms.get(number);
  if (known !== undefined) return known;
  const [form] = formsOfRecords(recordsOf(number));
  if (form === undefined) throw new Error('an observation without records');
  forms.set(number, form);
  return form;
}

const forms = new Map<number, Uint8Array>();

/** The numbers in records one after another; throws where an octet is not as written. */
export function numbersIn(records: Uint8Array): readonly number[] {
  return formsOfRecords(records).map((form) => {
    const bytes = Buffer.from(form.buffer, form.byteOffset, form.length);
    const at = bytes.indexOf(NAME) + NAME.length;
    const number = Number(bytes.toString('latin1', at, at + DIGITS));
    if (!bytes.equals(formOf(number))) throw new Error(`content ${number} is altered`);
    return number;
  });
}

/** Before the number, in the name of the one object in an observation. */
const NAME = 'number-';
const DIGITS = 8;

/** Octets that no compressor makes shorter. */
const NOISE = seeded(1).bytes(1 << 17);

function recordsOf(number: number): Uint8Array {
  const from = (number * 977) % (1 << 16);
  const raw = NOISE.slice(from, from + lengthOf(number));
  const object = `${NAME}${String(number).padStart(DIGITS, '0')}`;
  const second = 1_800_000_000 + number;
  return encodeRecords({
    source: sourceOf(number),
    time: { second, nanosecond: 0, clock: 'device', trust: 'trusted' },
    quality: [],
    readings: [{ object, raw, scaler: 0, unit: '' }],
  }).records;
}
