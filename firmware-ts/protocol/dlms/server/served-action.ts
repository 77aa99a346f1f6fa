import { Reader } from '#bytes/cursor.ts';
import type { ActionRequest, ActionResponse, ActionResult } from '../action.ts';
import { ACTION_RESPONSE, ACTION_RESULT } from '../action.ts';
import { decodeData } from '../axdr.ts';
import type { DataBlock } from '../blocks.ts';
import type { Data } from '../data.ts';
import { DATA_LIST, encodeAs, sequenceOf } from '../layout.ts';
import { DATA_ACCESS_RESULT } from '../results.ts';
import type { ActionItem, MethodDescriptor } from '../service.ts';
import { RequestBlocks } from './request-blocks.ts';

/** Tag, form, invoke id, last, number, length of the raw data in three bytes. */
const BLOCK_HEAD_BYTES = 11;

const RESULTS = sequenceOf(ACTION_RESULT);

/** Whose parameters come in blocks. */
interface LongAction {
  readonly methods: readonly MethodDescriptor[];
  readonly list: boolean;
}

/** Runs a method; what it answers is an Action-Result. */
export type Act = (item: ActionItem) => ActionResult;

/** Serves ACTION with one, with a list, and in blocks both ways (IEC 62056-5-3, 6.8). */
export class ActionService {
  readonly #act: Act;
  readonly #most: number;
  readonly #blocks = new RequestBlocks<LongAction>();
  #rest: { readonly bytes: Uint8Array; readonly blockNumber: number } | undefined;

  constructor(act: Act, most: number) {
    this.#act = act;
    this.#most = most;
  }

  answer(request: ActionRequest): Uint8Array {
    const { invokeIdAndPriority } = request;
    switch (request.kind) {
      case 'action-request-normal':
        return this.#single([request], false, invokeIdAndPriority);
      case 'action-request-with-list': {
        const items = itemsOf(request.methods, request.parameters);
        return this.#single(items, true, invokeIdAndPriority);
      }
      case 'action-request-with-first-pblock':
        this.#blocks.begin({ methods: [request.method], list: false });
        return this.#block(request.pblock, invokeIdAndPriority);
      case 'action-request-with-list-and-first-pblock':
        this.#blocks.begin({ methods: request.methods, list: true });
        return this.#block(request.pblock, invokeIdAndPriority);
      case 'action-request-with-pblock':
        return this.#block(request.pblock, invokeIdAndPriority);
      case 'action-request-next-pblock':
        return this.#next(invokeIdAndPriority, request.blockNumber);
    }
  }

  #single(items: readonly ActionItem[], list: boolean, invokeIdAndPriority: number): Uint8Array {
    const results = items.map((item) => this.#act(item));
    const [single = OTHER_REASON] = results;
    const response: ActionResponse = list
      ? { kind: 'action-response-with-list', invokeIdAndPriority, list: results }
      : { kind: 'action-response-normal', invokeIdAndPriority, single };
    const whole = ACTION_RESPONSE.encode(response);
    if (whole.length <= this.#most) return whole;
    const bytes = list ? encodeAs(RESULTS, results) : encodeAs(ACTION_RESULT, single);
    this.#rest = { bytes, blockNumber: 0 };
    return this.#next(invokeIdAndPriority, 0);
  }

  #block(block: DataBlock, invokeIdAndPriority: number): Uint8Array {
    const { blockNumber } = block;
    const taken = this.#blocks.take(block);
    switch (taken.kind) {
      case 'more': {
        const kind = 'action-response-next-pblock';
        return ACTION_RESPONSE.encode({ kind, invokeIdAndPriority, blockNumber });
      }
      case 'whole': {
        const { methods, list } = taken.meant;
        const parameters = list
          ? DATA_LIST.read(new Reader(taken.raw), 'parameters')
          : [decodeData(taken.raw)];
        return this.#single(itemsOf(methods, parameters), list, invokeIdAndPriority);
      }
      default:
        return refused(invokeIdAndPriority, 'data-block-number-invalid');
    }
  }

  #next(invokeIdAndPriority: number, acknowledged: number): Uint8Array {
    const long = this.#rest;
    if (long?.blockNumber !== acknowledged) {
      this.#rest = undefined;
      return refused(invokeIdAndPriority, 'data-block-number-invalid');
    }
    const size = Math.max(1, this.#most - BLOCK_HEAD_BYTES);
    const rawData = long.bytes.subarray(0, size);
    const bytes = long.bytes.subarray(size);
    const blockNumber = acknowledged + 1;
    const lastBlock = bytes.length === 0;
    this.#rest = lastBlock ? undefined : { bytes, blockNumber };
    const pblock = { lastBlock, blockNumber, rawData };
    const kind = 'action-response-with-pblock';
    return ACTION_RESPONSE.encode({ kind, invokeIdAndPriority, pblock });
  }
}

const OTHER_REASON: ActionResult = { result: DATA_ACCESS_RESULT['other-reason'] };

function refused(
  invokeIdAndPriority: number,
  word: 'data-block-number-invalid' | 'other-reason',
): Uint8Array {
  const single = { result: DATA_ACCESS_RESULT[word] };
  return ACTION_RESPONSE.encode({ kind: 'action-response-normal', invokeIdAndPriority, single });
}

function itemsOf(
  methods: readonly MethodDescriptor[],
  parameters: readonly Data[],
): readonly ActionItem[] {
  return methods.map((method, index) => {
    const given = parameters[index];
    return given === undefined ? { method } : { method, parameters: given };
  });
}
