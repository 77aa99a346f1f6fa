import type { AccessRequest, AccessResult, AccessSpecification } from '../access.ts';
import { ACCESS_RESPONSE } from '../access.ts';
import type { ActionResult } from '../action.ts';
import type { Data } from '../data.ts';
import { DATA_ACCESS_RESULT } from '../results.ts';
import { referenceOf } from '../selective-access.ts';
import type { Act } from './served-action.ts';
import type { ServerObjects } from './server-objects.ts';

interface Done {
  readonly data: Data;
  readonly result: AccessResult;
}

const NULL_DATA: Data = { type: 'null-data', value: null };

/** Serves ACCESS, each of its requests by itself (IEC 62056-5-3, 6.10). */
export function servedAccess(
  { longInvokeIdAndPriority, specifications, data }: AccessRequest,
  objects: ServerObjects,
  act: Act,
): Uint8Array {
  const done = specifications.map((one, index) => each(one, data[index], objects, act));
  return ACCESS_RESPONSE.encode({
    longInvokeIdAndPriority,
    dateTime: new Uint8Array(0),
    data: done.map((one) => one.data),
    results: done.map((one) => one.result),
  });
}

function each(
  specification: AccessSpecification,
  data: Data = NULL_DATA,
  objects: ServerObjects,
  act: Act,
): Done {
  switch (specification.kind) {
    case 'access-request-get':
    case 'access-request-get-with-selection': {
      const served = objects.get(referenceOf(specification));
      const kind = 'access-response-get';
      if ('data' in served) return { data: served.data, result: { kind, result: 0 } };
      return { data: NULL_DATA, result: { kind, result: DATA_ACCESS_RESULT[served.refused] } };
    }
    case 'access-request-set':
    case 'access-request-set-with-selection': {
      const word = objects.set({ attribute: referenceOf(specification), data });
      const result = { kind: 'access-response-set', result: DATA_ACCESS_RESULT[word] } as const;
      return { data: NULL_DATA, result };
    }
    case 'access-request-action': {
      const { method } = specification;
      const given = data.type === 'null-data' ? {} : { parameters: data };
      const acted = act({ method, ...given });
      const result = { kind: 'access-response-action', result: acted.result } as const;
      return { data: returned(acted), result };
    }
  }
}

function returned({ returnParameters }: ActionResult): Data {
  return returnParameters?.kind === 'data' ? returnParameters.data : NULL_DATA;
}
