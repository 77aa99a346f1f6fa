import type { Data } from '../../dlms/data.ts';
import { DATE_TIME_BYTES, dateTimeFrom, dateTimeText } from '../../dlms/date-time.ts';
import { OBIS_BYTES, obisText } from '../obis.ts';
import type { Fields, Shape } from './interface-class.ts';

/**
 * A value with the names of its class: structures as objects by field, enumerations in words, times
 * and logical names as text. What a meter answers instead of what the table says goes through
 * `raw`, part by part; it never throws where `raw` does not.
 */
export function namedValue(shape: Shape, data: Data, raw: (data: Data) => unknown): unknown {
  if (typeof shape === 'string') return simpleValue(shape, data, raw);
  if ('words' in shape) return wordOf(shape.words, data) ?? raw(data);
  if ('fields' in shape) return fieldsOf(shape, data, raw) ?? raw(data);
  if (data.type !== 'array') return raw(data);
  return data.value.map((element) => namedValue(shape.listOf, element, raw));
}

function simpleValue(shape: string, data: Data, raw: (data: Data) => unknown): unknown {
  if (data.type !== 'octet-string') return raw(data);
  const { value } = data;
  if (shape === 'logical-name' && value.length === OBIS_BYTES) return obisText(value);
  if (shape === 'moment' && value.length === DATE_TIME_BYTES) {
    return dateTimeText(dateTimeFrom(value));
  }
  return raw(data);
}

function wordOf(words: Readonly<Record<number, string>>, { value }: Data): string | undefined {
  return typeof value === 'number' ? words[value] : undefined;
}

function fieldsOf(
  { fields }: Fields,
  data: Data,
  raw: (data: Data) => unknown,
): object | undefined {
  const named = Object.entries(fields);
  if (data.type !== 'structure' || data.value.length !== named.length) return undefined;
  return Object.fromEntries(
    data.value.map((element, index) => {
      const [name = '', shape = 'choice'] = named[index] ?? [];
      return [name, namedValue(shape, element, raw)];
    }),
  );
}
