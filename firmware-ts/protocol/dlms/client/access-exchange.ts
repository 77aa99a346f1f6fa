import type { AccessResponse, AccessSpecification } from '../access.ts';
import { ACCESS_REQUEST, ACCESS_RESPONSE } from '../access.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import type { Data } from '../data.ts';
import type { SelectedAttribute } from '../descriptors.ts';
import { actionWord } from '../results.ts';
import { selectedOf } from '../selective-access.ts';
import type { AccessItem, ServiceResult } from '../service.ts';
import type { Exchange, ExchangeContext } from './exchange.ts';
import { LIST_COUNT_MAX, answerIn, listsOf, refused, unexpectedForm } from './exchange.ts';

/** ACCESS: reads, writes and methods in one request, done in their order (IEC 62056-5-3, 6.10). */
export function* accessExchange(
  items: readonly AccessItem[],
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const results: ServiceResult[] = [];
  for (const list of listsOf(items, LIST_COUNT_MAX, context.requestBytesMax, bytesOf)) {
    results.push(...(yield* accessList(list, context)));
  }
  return results;
}

const NULL_DATA: Data = { type: 'null-data', value: null };
const NO_TIME = new Uint8Array(0);

/** Of a request with this item alone. */
function bytesOf(item: AccessItem): number {
  return encodedOf(0, [item]).length;
}

function encodedOf(longInvokeIdAndPriority: number, items: readonly AccessItem[]): Uint8Array {
  return ACCESS_REQUEST.encode({
    longInvokeIdAndPriority,
    dateTime: NO_TIME,
    specifications: items.map(specificationOf),
    data: items.map(dataOf),
  });
}

function specificationOf(item: AccessItem): AccessSpecification {
  switch (item.kind) {
    case 'get':
      return selected('access-request-get', selectedOf(item.attribute));
    case 'set':
      return selected('access-request-set', selectedOf(item.attribute));
    case 'action':
      return { kind: 'access-request-action', method: item.method };
  }
}

function selected(
  kind: 'access-request-get' | 'access-request-set',
  { attribute, accessSelection }: SelectedAttribute,
): AccessSpecification {
  if (accessSelection === undefined) return { kind, attribute };
  return { kind: `${kind}-with-selection`, attribute, accessSelection };
}

function dataOf(item: AccessItem): Data {
  if (item.kind === 'get') return NULL_DATA;
  return item.kind === 'set' ? item.data : (item.parameters ?? NULL_DATA);
}

function* accessList(
  items: readonly AccessItem[],
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const longInvokeId = longInvokeIdOf(context.nextInvokeId());
  const { data, results } = yield* accessed(encodedOf(longInvokeId, items), longInvokeId);
  if (results.length !== items.length || data.length !== items.length) {
    throw unexpectedForm(
      APDU_TAG.accessRequest,
      `${results.length} results and ${data.length} data`,
    );
  }
  return items.map((item, index) => resultOf(item, results[index]?.result ?? 0, data[index]));
}

function resultOf({ kind }: AccessItem, result: number, data: Data = NULL_DATA): ServiceResult {
  if (result !== 0 && kind === 'action') return refused(result, actionWord(result));
  if (result !== 0) return refused(result);
  return kind !== 'get' && data.type === 'null-data' ? { kind: 'done' } : { kind: 'done', data };
}

const LONG_INVOKE_ID = 0xff_ffff;

/** The flags of Invoke-Id-And-Priority stand in the highest byte (8.4: bits 30 and 31). */
function longInvokeIdOf(invokeIdAndPriority: number): number {
  return (((invokeIdAndPriority & 0xc0) << 24) | (invokeIdAndPriority & 0x0f)) >>> 0;
}

/** An answer to an earlier request, which came too late, is passed over. */
function* accessed(request: Uint8Array, longInvokeId: number): Exchange<AccessResponse> {
  let apdu = yield { kind: 'send', apdu: request };
  for (;;) {
    const answer = answerIn(apdu, ACCESS_RESPONSE);
    const difference = answer.longInvokeIdAndPriority ^ longInvokeId;
    if ((difference & LONG_INVOKE_ID) === 0) return answer;
    apdu = yield { kind: 'wait' };
  }
}
