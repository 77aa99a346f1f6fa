import { Reader, Writer } from '#bytes/cursor.ts';
import type { ActionRequest, ActionResponse, ActionResult } from '../action.ts';
import { ACTION_RESPONSE, ACTION_RESULT } from '../action.ts';
import { decodeData, readData } from '../axdr.ts';
import type { DataBlock } from '../blocks.ts';
import { Gathered } from '../client/exchange.ts';
import type { Data } from '../data.ts';
import { readLength } from '../length.ts';
import { DATA_ACCESS_RESULT } from '../results.ts';
import type { ActionItem, MethodDescriptor } from '../service.ts';

/** Tag, form, invoke id, last, number, length of the raw data. */
const BLOCK_HEAD_BYTES = 13;

/** Parameters that come in blocks. */
interface LongAction {
  readonly methods: readonly MethodDescriptor[];
  readonly list: boolean;
  readonly gathered: Gathered;
  blockNumber: number;
}

/** Runs a method; what it answers is an Action-Result. */
export type Act = (item: ActionItem) => ActionResult;

/** Serves ACTION with one, with a list, and in blocks both ways (IEC 62056-5-3, 6.8). */
export class ActionService {
  readonly #act: Act;
  readonly #most: number;
  #long: LongAction | undefined;
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
        this.#begin([request.method], false);
        return this.#block(request.pblock, invokeIdAndPriority);
      case 'action-request-with-list-and-first-pblock':
        this.#begin(request.methods, true);
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
    const writer = new Writer();
    if (list) writer.u8(results.length);
    for (const result of results) ACTION_RESULT.write(writer, result);
    this.#rest = { bytes: writer.finish(), blockNumber: 0 };
    return this.#next(invokeIdAndPriority, 0);
  }

  #begin(methods: readonly MethodDescriptor[], list: boolean): void {
    this.#long = { methods, list, gathered: new Gathered(), blockNumber: 0 };
  }

  #block(block: DataBlock, invokeIdAndPriority: number): Uint8Array {
    const { blockNumber } = block;
    const long = this.#long;
    if (long === undefined || blockNumber !== long.blockNumber + 1) {
      this.#long = undefined;
      return refused(invokeIdAndPriority, 'data-block-number-invalid');
    }
    long.gathered.add(block.rawData);
    long.blockNumber = blockNumber;
    if (!block.lastBlock) {
      const kind = 'action-response-next-pblock';
      return ACTION_RESPONSE.encode({ kind, invokeIdAndPriority, blockNumber });
    }
    this.#long = undefined;
    const raw = long.gathered.whole();
    const parameters = long.list ? listFrom(raw) : [decodeData(raw)];
    return this.#single(itemsOf(long.methods, parameters), long.list, invokeIdAndPriority);
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

function listFrom(raw: Uint8Array): readonly Data[] {
  const reader = new Reader(raw);
  const count = readLength(reader, 'count');
  const values: Data[] = [];
  while (values.length < count) values.push(readData(reader));
  return values;
}
