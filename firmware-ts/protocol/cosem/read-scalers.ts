import type { AttributeDescriptor } from '../dlms/data.ts';
import type { Procedure } from '../dlms/procedure.ts';
import { ask } from '../dlms/procedure.ts';
import type { ScalerUnit } from './register.ts';
import { scalerUnitFrom } from './register.ts';

const REGISTER = 3;
const EXTENDED_REGISTER = 4;
const DEMAND_REGISTER = 5;
/** Values that scaler_unit belongs to, by class, and its attribute (IEC 62056-6-2, 4.3.2 to 4). */
const SCALED: Readonly<Record<number, { readonly values: readonly number[]; scaler: number }>> = {
  [REGISTER]: { values: [2], scaler: 3 },
  [EXTENDED_REGISTER]: { values: [2], scaler: 3 },
  [DEMAND_REGISTER]: { values: [2, 3], scaler: 4 },
};

/** A row has no more columns; a list of references has to fit into one request. */
const ASKED_TOGETHER_MAX = 8;

/**
 * Scaler and unit of each attribute, `undefined` where it has none or the meter does not tell.
 * Errors: those of `ask`, `unexpected-type`.
 */
export function* readScalers(
  attributes: readonly AttributeDescriptor[],
): Procedure<readonly (ScalerUnit | undefined)[]> {
  const asked = attributes.flatMap(({ classId, instanceId, attributeId }, index) => {
    const scaled = SCALED[classId];
    if (scaled?.values.includes(attributeId) !== true) return [];
    return [{ index, attribute: { classId, instanceId, attributeId: scaled.scaler } }];
  });
  const scalers: (ScalerUnit | undefined)[] = attributes.map(() => undefined);
  for (let first = 0; first < asked.length; first += ASKED_TOGETHER_MAX) {
    const some = asked.slice(first, first + ASKED_TOGETHER_MAX);
    const results = yield* ask({ kind: 'get', attributes: some.map((one) => one.attribute) });
    for (const [place, { index }] of some.entries()) {
      const result = results[place];
      if (result?.kind === 'done' && result.data !== undefined) {
        scalers[index] = scalerUnitFrom(result.data);
      }
    }
  }
  return scalers;
}
