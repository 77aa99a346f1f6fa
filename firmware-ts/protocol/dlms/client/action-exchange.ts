import { Reader } from '#bytes/cursor.ts';
import type { ActionRequest, ActionResponse, ActionResult } from '../action.ts';
import { ACTION_REQUEST, ACTION_RESPONSE, ACTION_RESULT } from '../action.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import { encodeData } from '../axdr.ts';
import type { DataBlock } from '../blocks.ts';
import { partsOf } from '../blocks.ts';
import type { Data } from '../data.ts';
import { Gathered } from '../gathered.ts';
import { DATA_LIST, encodeAs, sequenceOf } from '../layout.ts';
import { DATA_ACCESS_RESULT, actionWord } from '../results.ts';
import type { ActionItem, ServiceResult } from '../service.ts';
import type { Exchange, ExchangeContext } from './exchange.ts';
import { BlockCount, LIST_COUNT_MAX, asked, listsOf, refused, unexpectedForm } from './exchange.ts';

/** ACTION of one method or many (IEC 62056-5-3, 6.8), in blocks where it does not fit. */
export function* actionExchange(
  items: readonly ActionItem[],
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const most = context.conformance.has('multipleReferences') ? LIST_COUNT_MAX : 1;
  const results: ServiceResult[] = [];
  for (const list of listsOf(items, most, context.requestBytesMax, bytesOf)) {
    results.push(...(yield* actList(list, context)));
  }
  return results;
}

/** Two counts, the descriptor and the parameters. */
function bytesOf({ parameters = NULL_DATA }: ActionItem): number {
  return 20 + encodeData(parameters).length;
}

const NULL_DATA: Data = { type: 'null-data', value: null };

function* actList(
  items: readonly ActionItem[],
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const invokeId = context.nextInvokeId();
  const whole = ACTION_REQUEST.encode(wholeRequest(items, invokeId));
  const blocked = whole.length > context.requestBytesMax;
  const answer = yield* blocked
    ? actInBlocks(items, invokeId, context)
    : asked(whole, invokeId, ACTION_RESPONSE);
  return yield* resultsOf(answer, items.length, invokeId);
}

function wholeRequest(items: readonly ActionItem[], invokeIdAndPriority: number): ActionRequest {
  const [first] = items;
  if (items.length === 1 && first !== undefined) {
    return { kind: 'action-request-normal', invokeIdAndPriority, ...first };
  }
  return {
    kind: 'action-request-with-list',
    invokeIdAndPriority,
    methods: items.map(({ method }) => method),
    parameters: items.map(({ parameters = NULL_DATA }) => parameters),
  };
}

/** Last-block, block number, and the length of the raw data. */
const BLOCK_HEAD_BYTES = 8;

/** Sends block after block (6.8, with-first-pblock); each is acknowledged by its number. */
function* actInBlocks(
  items: readonly ActionItem[],
  invokeId: number,
  context: ExchangeContext,
): Exchange<ActionResponse> {
  const empty: DataBlock = { lastBlock: false, blockNumber: 1, rawData: new Uint8Array(0) };
  const head = ACTION_REQUEST.encode(firstBlock(items, invokeId, empty)).length;
  const most = Math.max(1, context.requestBytesMax - head - BLOCK_HEAD_BYTES);
  const parts = partsOf(rawParametersOf(items), most);
  for (const [index, rawData] of parts.entries()) {
    const pblock = { lastBlock: index === parts.length - 1, blockNumber: index + 1, rawData };
    const request =
      index === 0 ? firstBlock(items, invokeId, pblock) : laterBlock(invokeId, pblock);
    const answer = yield* asked(ACTION_REQUEST.encode(request), invokeId, ACTION_RESPONSE);
    if (pblock.lastBlock || answer.kind !== 'action-response-next-pblock') return answer;
    if (answer.blockNumber !== pblock.blockNumber) break;
  }
  throw unexpectedForm(APDU_TAG.actionRequest, 'the number of another block');
}

function firstBlock(
  items: readonly ActionItem[],
  invokeIdAndPriority: number,
  pblock: DataBlock,
): ActionRequest {
  const [first] = items;
  if (items.length === 1 && first !== undefined) {
    const { method } = first;
    return { kind: 'action-request-with-first-pblock', invokeIdAndPriority, method, pblock };
  }
  const methods = items.map(({ method }) => method);
  const kind = 'action-request-with-list-and-first-pblock';
  return { kind, invokeIdAndPriority, methods, pblock };
}

function laterBlock(invokeIdAndPriority: number, pblock: DataBlock): ActionRequest {
  return { kind: 'action-request-with-pblock', invokeIdAndPriority, pblock };
}

/** Of one: its parameters. Of several: the list of theirs. */
function rawParametersOf(items: readonly ActionItem[]): Uint8Array {
  const [first] = items;
  if (items.length === 1) return encodeData(first?.parameters ?? NULL_DATA);
  const list = items.map(({ parameters = NULL_DATA }) => parameters);
  return encodeAs(DATA_LIST, list);
}

function* resultsOf(
  answer: ActionResponse,
  count: number,
  invokeId: number,
): Exchange<readonly ServiceResult[]> {
  switch (answer.kind) {
    case 'action-response-normal': {
      const result = resultOf(answer.single);
      return Array.from({ length: count }, () => result);
    }
    case 'action-response-with-list':
      return complete(answer.list, count);
    case 'action-response-with-pblock':
      return yield* blockResults(answer.pblock, count, invokeId);
    case 'action-response-next-pblock':
      throw unexpectedForm(APDU_TAG.actionRequest, answer.kind);
  }
}

/** Asks for block after block of what the methods return. */
function* blockResults(
  first: DataBlock,
  count: number,
  invokeId: number,
): Exchange<readonly ServiceResult[]> {
  const gathered = new Gathered();
  const blocks = new BlockCount();
  for (let block = first; ; block = yield* nextBlock(block.blockNumber, invokeId)) {
    blocks.take(block.blockNumber, block.rawData);
    gathered.add(block.rawData);
    if (block.lastBlock) break;
  }
  const reader = new Reader(gathered.whole());
  if (count === 1) return [resultOf(ACTION_RESULT.read(reader, 'result'))];
  return complete(RESULTS.read(reader, 'results'), count);
}

const RESULTS = sequenceOf(ACTION_RESULT);

function* nextBlock(blockNumber: number, invokeIdAndPriority: number): Exchange<DataBlock> {
  const kind = 'action-request-next-pblock';
  const request = ACTION_REQUEST.encode({ kind, invokeIdAndPriority, blockNumber });
  const answer = yield* asked(request, invokeIdAndPriority, ACTION_RESPONSE);
  if (answer.kind === 'action-response-with-pblock') return answer.pblock;
  throw unexpectedForm(APDU_TAG.actionRequest, answer.kind);
}

function complete(results: readonly ActionResult[], count: number): readonly ServiceResult[] {
  if (results.length === count) return results.map(resultOf);
  throw unexpectedForm(APDU_TAG.actionRequest, `${results.length} results instead of ${count}`);
}

function resultOf({ result, returnParameters }: ActionResult): ServiceResult {
  if (result !== DATA_ACCESS_RESULT.success) return refused(result, actionWord(result));
  if (returnParameters === undefined) return { kind: 'done' };
  if (returnParameters.kind === 'data') return { kind: 'done', data: returnParameters.data };
  return refused(returnParameters.result);
}
