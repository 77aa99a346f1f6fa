import { OperatingError } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import { encodeData } from '#protocol/dlms/axdr.ts';
import type { Data } from '#protocol/dlms/data.ts';
import type { Procedure } from '#protocol/dlms/procedure.ts';
import { refusalOf } from '#protocol/dlms/results.ts';
import type {
  ActionItem,
  AttributeReference,
  ServiceAnswer,
  ServiceRequest,
  ServiceResult,
} from '#protocol/dlms/service.ts';

/** Objects that answer a procedure without any protocol between them. */
export interface CosemAnswers {
  get(attribute: AttributeReference): Data | string;
  set?(attribute: AttributeReference, data: Data): void;
  act?(item: ActionItem): Data | string | undefined;
}

export interface RunOptions<Told> {
  readonly told?: (told: Told) => void;
  /** Bytes of a piece. */
  readonly pieceBytes?: number;
  /** The association ends at this request, counted from 1. */
  readonly cutAt?: number;
}

/** `1/0000010000ff/2`: class, logical name, attribute or method. */
export function nameOf(classId: number, instanceId: Uint8Array, id: number): string {
  return `${classId}/${toHex(instanceId)}/${id}`;
}

/** Runs a procedure to its end; what it throws is thrown. */
export function runProcedure<Result, Told>(
  work: Procedure<Result, Told>,
  meter: CosemAnswers,
  { told, pieceBytes = 50, cutAt = Infinity }: RunOptions<Told> = {},
): Result {
  let pieces: Uint8Array = new Uint8Array(0);
  let asked = 0;
  const answer = (request: ServiceRequest): ServiceAnswer => {
    if (request.kind === 'get-pieces') {
      const value = meter.get(request.attribute);
      if (typeof value === 'string') return { kind: 'results', results: [resultOf(value)] };
      pieces = encodeData(value);
    }
    if (request.kind === 'get-pieces' || request.kind === 'next-piece') {
      const bytes = pieces.subarray(0, pieceBytes);
      pieces = pieces.subarray(pieceBytes);
      return { kind: 'piece', bytes, last: pieces.length === 0 };
    }
    return { kind: 'results', results: resultsOf(request, meter) };
  };
  for (let step = work.next(); ;) {
    if (step.done === true) return step.value;
    if (step.value.kind === 'ask') {
      asked += 1;
      if (asked === cutAt) step = work.throw(new OperatingError('connection-lost', 'cut'));
      else step = work.next(answer(step.value.request));
    } else {
      if (step.value.kind === 'tell') told?.(step.value.told);
      step = work.next(undefined);
    }
  }
}

type Whole = Exclude<ServiceRequest, { readonly kind: 'get-pieces' | 'next-piece' }>;

function resultsOf(request: Whole, meter: CosemAnswers): readonly ServiceResult[] {
  switch (request.kind) {
    case 'get':
      return request.attributes.map((attribute) => resultOf(meter.get(attribute)));
    case 'set':
      return request.items.map(({ attribute, data }) => {
        meter.set?.(attribute, data);
        return { kind: 'done' };
      });
    case 'action':
      return request.items.map((item) => resultOf(meter.act?.(item)));
    case 'access':
      throw new RangeError('no procedure asks by ACCESS');
  }
}

/** A word is a refusal. */
function resultOf(value: Data | string | undefined): ServiceResult {
  if (typeof value === 'string') {
    return { kind: 'refused', result: value, failure: refusalOf(value) };
  }
  return value === undefined ? { kind: 'done' } : { kind: 'done', data: value };
}
