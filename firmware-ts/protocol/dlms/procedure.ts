import { OperatingError, errorOf } from '#bytes/failure.ts';
import { obisText } from '../cosem/obis.ts';
import type { AttributeDescriptor, Data } from './data.ts';
import type {
  ActionItem,
  AttributeReference,
  ServiceAnswer,
  ServiceRequest,
  ServiceResult,
  SetItem,
} from './service.ts';

/**
 * Work on a meter that takes several requests: a generator that yields what it asks and what it
 * tells, gets the answers, and knows neither time nor link. Whoever runs it sends what is asked,
 * and throws into it what makes the association end. It can be left at any `yield`.
 */
export type Procedure<Result, Told = never> = Generator<
  ProcedureStep<Told>,
  Result,
  ServiceAnswer | undefined
>;

export type ProcedureStep<Told> =
  | { readonly kind: 'ask'; readonly request: ServiceRequest }
  /** Rows, progress: taken before the procedure goes on, so that nothing piles up. */
  | { readonly kind: 'tell'; readonly told: Told }
  /** Nothing is to be asked for so long. */
  | { readonly kind: 'pause'; readonly delayMs: number };

/** The results of one request, in the order of what was asked. */
export function* ask(
  request: Exclude<ServiceRequest, { readonly kind: 'get-pieces' | 'next-piece' }>,
): Procedure<readonly ServiceResult[]> {
  const answer = yield { kind: 'ask', request };
  if (answer?.kind === 'results') return answer.results;
  throw new OperatingError('unexpected-answer', 'results were asked for');
}

/** Errors: the refusal's, `unexpected-answer`. */
export function* get(attribute: AttributeReference): Procedure<Data> {
  const [result] = yield* ask({ kind: 'get', attributes: [attribute] });
  return dataOf(result, attribute);
}

/** Errors: the refusal's. */
export function* set(item: SetItem): Procedure<void> {
  const [result] = yield* ask({ kind: 'set', items: [item] });
  doneOf(result, nameOf(item.attribute));
}

/** What the method returns, if anything. Errors: the refusal's. */
export function* act(item: ActionItem): Procedure<Data | undefined> {
  const [result] = yield* ask({ kind: 'action', items: [item] });
  const { classId, instanceId, methodId } = item.method;
  return doneOf(result, `method ${methodId} of ${classId}/${obisText(instanceId)}`).data;
}

export function* tell<Told>(told: Told): Procedure<void, Told> {
  yield { kind: 'tell', told };
}

export function dataOf(result: ServiceResult | undefined, asked: AttributeDescriptor): Data {
  const field = nameOf(asked);
  const { data } = doneOf(result, field);
  if (data !== undefined) return data;
  throw new OperatingError('unexpected-answer', 'the answer has no value', { field });
}

/** Class, logical name and attribute, as a technician writes them. */
function nameOf({ classId, instanceId, attributeId }: AttributeDescriptor): string {
  return `${classId}/${obisText(instanceId)}/${attributeId}`;
}

function doneOf(
  result: ServiceResult | undefined,
  field: string,
): Extract<ServiceResult, { kind: 'done' }> {
  if (result?.kind === 'done') return result;
  if (result === undefined) throw new OperatingError('unexpected-answer', 'a result is missing');
  throw errorOf({ ...result.failure, field });
}
