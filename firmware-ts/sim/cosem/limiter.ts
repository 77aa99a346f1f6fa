import { obisFrom } from '#protocol/cosem/obis.ts';
import type { Data } from '#protocol/dlms/data.ts';
import type { SimulatedObject } from './object.ts';
import { array, object, octets, structure, unsigned32 } from './object.ts';

export const LIMITER_NAME = '0-0:17.0.0*255';

const word = (value: number): Data => ({ type: 'long-unsigned', value });
const SCRIPTS = octets(obisFrom('0-0:10.0.106*255'));

/** A limiter (IEC 62056-6-2, 4.5.9) that limits nothing: values of many types to write. */
export function limiter(): SimulatedObject {
  const power = structure(word(3), octets(obisFrom('1-0:1.7.0*255')), {
    type: 'integer',
    value: 2,
  });
  const held = new Map<number, Data>([
    [2, power],
    [3, unsigned32(6000)],
    [4, unsigned32(6000)],
    [5, unsigned32(2000)],
    [6, unsigned32(60)],
    [7, unsigned32(60)],
    [8, structure(word(0), octets(new Uint8Array(12).fill(0xff)), unsigned32(0))],
    [9, array([word(1)])],
    [10, { type: 'boolean', value: false }],
    [11, structure(structure(SCRIPTS, word(1)), structure(SCRIPTS, word(2)))],
  ]);
  const attributes = [...held].map(([id, first]) => [id, () => held.get(id) ?? first] as const);
  return {
    ...object(71, 0, Object.fromEntries(attributes)),
    set(attributeId, data) {
      if (!held.has(attributeId)) return 'object-undefined';
      if (held.get(attributeId)?.type !== data.type) return 'type-unmatched';
      held.set(attributeId, data);
      return 'success';
    },
  };
}
