import { Reader } from '#bytes/cursor.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import { readData } from '../axdr.ts';
import type { SelectedAttribute } from '../descriptors.ts';
import { SELECTED_ATTRIBUTE } from '../descriptors.ts';
import { Gathered } from '../gathered.ts';
import type { DataBlockG, GetResponse } from '../get.ts';
import { GET_REQUEST, GET_RESPONSE } from '../get.ts';
import { encodeAs, sequenceOf } from '../layout.ts';
import type { GetDataResult } from '../results.ts';
import { GET_DATA_RESULT } from '../results.ts';
import { selectedOf } from '../selective-access.ts';
import type { AttributeReference, ServiceResult } from '../service.ts';
import type { Exchange, ExchangeContext, ExchangeStep } from './exchange.ts';
import { BlockCount, LIST_COUNT_MAX, asked, listsOf, refused, unexpectedForm } from './exchange.ts';

/** Tag, form, invoke id, count. */
const LIST_HEAD_BYTES = 6;

/** GET of one attribute or many (IEC 62056-5-3, 6.6), as lists where both sides know them. */
export function* getExchange(
  attributes: readonly AttributeReference[],
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const most = context.conformance.has('multipleReferences') ? LIST_COUNT_MAX : 1;
  const room = context.requestBytesMax - LIST_HEAD_BYTES;
  const selected = attributes.map(selectedOf);
  const results: ServiceResult[] = [];
  for (const list of listsOf(selected, most, room, bytesOf)) {
    const [only] = list;
    const single = list.length === 1 && only !== undefined;
    results.push(...(single ? [yield* getOne(only, context)] : yield* getList(list, context)));
  }
  return results;
}

function bytesOf(selected: SelectedAttribute): number {
  return encodeAs(SELECTED_ATTRIBUTE, selected).length;
}

function* getOne(selected: SelectedAttribute, context: ExchangeContext): Exchange<ServiceResult> {
  const gathered = new Gathered();
  const refusal = yield* getRaw(selected, context, (bytes) => gathered.add(bytes));
  // Not more than the value: servers are known that send rubbish behind it.
  return refusal ?? { kind: 'done', data: readData(new Reader(gathered.whole())) };
}

/**
 * GET of one attribute whose value is answered piece by piece, each when it is asked for. A value
 * that was not sent in blocks is one piece.
 */
export function* getPieces(
  attribute: AttributeReference,
  context: ExchangeContext,
): Exchange<ServiceResult | undefined> {
  return yield* getRaw(selectedOf(attribute), context, (bytes, last) => ({
    kind: 'answer',
    answer: { kind: 'piece', bytes, last },
  }));
}

/** What is to be done with a part of the raw value. */
type Take = (bytes: Uint8Array, last: boolean) => ExchangeStep | undefined;

/** Gives the raw value to `take`; answers what was refused instead. */
function* getRaw(
  selected: SelectedAttribute,
  context: ExchangeContext,
  take: Take,
): Exchange<ServiceResult | undefined> {
  const invokeIdAndPriority = context.nextInvokeId();
  const request = GET_REQUEST.encode({
    kind: 'get-request-normal',
    invokeIdAndPriority,
    ...selected,
  });
  const answer = yield* asked(request, invokeIdAndPriority, RAW_RESPONSE);
  if (answer.kind === 'raw') {
    const step = take(answer.bytes, true);
    if (step !== undefined) yield step;
    return undefined;
  }
  if (answer.kind === 'refused') return refused(answer.result);
  return yield* remaining(answer.block, invokeIdAndPriority, take);
}

/** Asks for block after block (6.6, with-datablock). */
function* remaining(
  first: DataBlockG,
  invokeId: number,
  take: Take,
): Exchange<ServiceResult | undefined> {
  const count = new BlockCount();
  for (let block = first; ; block = yield* nextBlock(block.blockNumber, invokeId)) {
    if (block.result.kind === 'data-access-result') return refused(block.result.result);
    count.take(block.blockNumber, block.result.rawData);
    const step = take(block.result.rawData, block.lastBlock);
    if (step !== undefined) yield step;
    if (block.lastBlock) return undefined;
  }
}

function* nextBlock(blockNumber: number, invokeIdAndPriority: number): Exchange<DataBlockG> {
  const kind = 'get-request-next';
  const request = GET_REQUEST.encode({ kind, invokeIdAndPriority, blockNumber });
  const answer = yield* asked(request, invokeIdAndPriority, GET_RESPONSE);
  if (answer.kind === 'get-response-with-datablock') return answer.result;
  if (answer.kind === 'get-response-normal' && answer.result.kind === 'data-access-result') {
    return { lastBlock: true, blockNumber, result: answer.result };
  }
  throw unexpectedForm(APDU_TAG.getRequest, answer.kind);
}

function* getList(
  attributes: readonly SelectedAttribute[],
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const invokeIdAndPriority = context.nextInvokeId();
  const kind = 'get-request-with-list';
  const request = GET_REQUEST.encode({ kind, invokeIdAndPriority, attributes });
  const answer = yield* asked(request, invokeIdAndPriority, GET_RESPONSE);
  return yield* listResults(answer, attributes.length, invokeIdAndPriority);
}

function* listResults(
  answer: GetResponse,
  count: number,
  invokeId: number,
): Exchange<readonly ServiceResult[]> {
  switch (answer.kind) {
    case 'get-response-with-list':
      return complete(answer.results, count);
    case 'get-response-with-datablock': {
      const gathered = new Gathered();
      const refusal = yield* remaining(answer.result, invokeId, (bytes) => gathered.add(bytes));
      if (refusal !== undefined) return Array.from({ length: count }, () => refusal);
      return complete(RESULTS.read(new Reader(gathered.whole()), 'results'), count);
    }
    case 'get-response-normal': {
      // The whole list is refused with one word.
      const result = resultOf(answer.result);
      return Array.from({ length: count }, () => result);
    }
  }
}

const RESULTS = sequenceOf(GET_DATA_RESULT);

function complete(results: readonly GetDataResult[], count: number): readonly ServiceResult[] {
  if (results.length === count) return results.map(resultOf);
  throw unexpectedForm(APDU_TAG.getRequest, `${results.length} results instead of ${count}`);
}

function resultOf(result: GetDataResult): ServiceResult {
  if (result.kind === 'data') return { kind: 'done', data: result.data };
  return refused(result.result);
}

/** A Get-Response whose value is left as bytes, so that a large one is not read twice. */
type RawResponse = { readonly invokeIdAndPriority: number } & (
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }
  | { readonly kind: 'refused'; readonly result: number }
  | { readonly kind: 'block'; readonly block: DataBlockG }
);

const NORMAL_WITH_DATA = { form: 1, data: 0 } as const;
/** Tag, form, invoke id, choice. */
const NORMAL_HEAD_BYTES = 4;

const RAW_RESPONSE = {
  decodeLeading(bytes: Uint8Array): { readonly value: RawResponse; readonly length: number } {
    const [tag, form, invokeIdAndPriority, kind] = bytes;
    const raw =
      tag === APDU_TAG.getResponse &&
      form === NORMAL_WITH_DATA.form &&
      kind === NORMAL_WITH_DATA.data &&
      invokeIdAndPriority !== undefined;
    if (raw) {
      const value = bytes.subarray(NORMAL_HEAD_BYTES);
      return { value: { kind: 'raw', invokeIdAndPriority, bytes: value }, length: bytes.length };
    }
    const { value, length } = GET_RESPONSE.decodeLeading(bytes);
    return { value: rawOf(value), length };
  },
};

function rawOf(answer: GetResponse): RawResponse {
  const { invokeIdAndPriority } = answer;
  if (answer.kind === 'get-response-with-datablock') {
    return { kind: 'block', invokeIdAndPriority, block: answer.result };
  }
  if (answer.kind === 'get-response-normal' && answer.result.kind === 'data-access-result') {
    return { kind: 'refused', invokeIdAndPriority, result: answer.result.result };
  }
  throw unexpectedForm(APDU_TAG.getRequest, answer.kind);
}
