import { APDU_TAG } from '../apdu-tags.ts';
import { encodeData } from '../axdr.ts';
import type { DataBlock } from '../blocks.ts';
import { partsOf } from '../blocks.ts';
import { SELECTED_ATTRIBUTE } from '../descriptors.ts';
import { DATA_LIST, encodeAs } from '../layout.ts';
import { DATA_ACCESS_RESULT } from '../results.ts';
import { selectedOf } from '../selective-access.ts';
import type { ServiceResult, SetItem } from '../service.ts';
import type { SetRequest, SetResponse } from '../set.ts';
import { SET_REQUEST, SET_RESPONSE } from '../set.ts';
import type { Exchange, ExchangeContext } from './exchange.ts';
import { LIST_COUNT_MAX, asked, listsOf, refused, unexpectedForm } from './exchange.ts';

/** SET of one attribute or many (IEC 62056-5-3, 6.7), in blocks where it does not fit. */
export function* setExchange(
  items: readonly SetItem[],
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const most = context.conformance.has('multipleReferences') ? LIST_COUNT_MAX : 1;
  const results: ServiceResult[] = [];
  for (const list of listsOf(items, most, context.requestBytesMax, bytesOf)) {
    results.push(...(yield* setList(list, context)));
  }
  return results;
}

/** Tag, form, invoke id, two counts. */
const LIST_HEAD_BYTES = 10;

function bytesOf({ attribute, data }: SetItem): number {
  const selected = encodeAs(SELECTED_ATTRIBUTE, selectedOf(attribute));
  return LIST_HEAD_BYTES + selected.length + encodeData(data).length;
}

function* setList(
  items: readonly SetItem[],
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const invokeIdAndPriority = context.nextInvokeId();
  const whole = SET_REQUEST.encode(wholeRequest(items, invokeIdAndPriority));
  const blocked = whole.length > context.requestBytesMax;
  const answer = yield* blocked
    ? setInBlocks(items, invokeIdAndPriority, context)
    : asked(whole, invokeIdAndPriority, SET_RESPONSE);
  return resultsOf(answer, items.length);
}

function wholeRequest(items: readonly SetItem[], invokeIdAndPriority: number): SetRequest {
  const [first] = items;
  if (items.length === 1 && first !== undefined) {
    const { data: value } = first;
    return {
      kind: 'set-request-normal',
      invokeIdAndPriority,
      ...selectedOf(first.attribute),
      value,
    };
  }
  return {
    kind: 'set-request-with-list',
    invokeIdAndPriority,
    attributes: items.map(({ attribute }) => selectedOf(attribute)),
    values: items.map(({ data }) => data),
  };
}

/** Last-block, block number, and the length of the raw data. */
const BLOCK_HEAD_BYTES = 8;

/** Sends block after block (6.7, with-first-datablock); each is acknowledged by its number. */
function* setInBlocks(
  items: readonly SetItem[],
  invokeId: number,
  context: ExchangeContext,
): Exchange<SetResponse> {
  const empty: DataBlock = { lastBlock: false, blockNumber: 1, rawData: new Uint8Array(0) };
  const head = SET_REQUEST.encode(firstBlock(items, invokeId, empty)).length;
  const most = Math.max(1, context.requestBytesMax - head - BLOCK_HEAD_BYTES);
  const parts = partsOf(rawValueOf(items), most);
  for (const [index, rawData] of parts.entries()) {
    const datablock = { lastBlock: index === parts.length - 1, blockNumber: index + 1, rawData };
    const request =
      index === 0 ? firstBlock(items, invokeId, datablock) : laterBlock(invokeId, datablock);
    const answer = yield* asked(SET_REQUEST.encode(request), invokeId, SET_RESPONSE);
    if (datablock.lastBlock || answer.kind !== 'set-response-datablock') return answer;
    if (answer.blockNumber !== datablock.blockNumber) break;
  }
  throw unexpectedForm(APDU_TAG.setRequest, 'the number of another block');
}

function firstBlock(
  items: readonly SetItem[],
  invokeIdAndPriority: number,
  datablock: DataBlock,
): SetRequest {
  const [first] = items;
  if (items.length === 1 && first !== undefined) {
    const kind = 'set-request-with-first-datablock';
    return { kind, invokeIdAndPriority, ...selectedOf(first.attribute), datablock };
  }
  const kind = 'set-request-with-list-and-first-datablock';
  return {
    kind,
    invokeIdAndPriority,
    attributes: items.map(({ attribute }) => selectedOf(attribute)),
    datablock,
  };
}

function laterBlock(invokeIdAndPriority: number, datablock: DataBlock): SetRequest {
  return { kind: 'set-request-with-datablock', invokeIdAndPriority, datablock };
}

/** Of one: its value. Of several: the list of their values. */
function rawValueOf(items: readonly SetItem[]): Uint8Array {
  const [first] = items;
  if (items.length === 1 && first !== undefined) return encodeData(first.data);
  const values = items.map(({ data }) => data);
  return encodeAs(DATA_LIST, values);
}

function resultsOf(answer: SetResponse, count: number): readonly ServiceResult[] {
  switch (answer.kind) {
    case 'set-response-normal':
    case 'set-response-last-datablock':
      // One word for a whole list refuses all of it.
      return Array.from({ length: count }, () => resultOf(answer.result));
    case 'set-response-with-list':
    case 'set-response-last-datablock-with-list':
      if (answer.results.length === count) return answer.results.map(resultOf);
      throw unexpectedForm(APDU_TAG.setRequest, `${answer.results.length} results`);
    case 'set-response-datablock':
      throw unexpectedForm(APDU_TAG.setRequest, answer.kind);
  }
}

function resultOf(result: number): ServiceResult {
  return result === DATA_ACCESS_RESULT.success ? { kind: 'done' } : refused(result);
}
