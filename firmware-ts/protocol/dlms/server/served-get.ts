import { encodeData } from '../axdr.ts';
import type { SelectedAttribute } from '../descriptors.ts';
import type { GetRequest, GetResponse } from '../get.ts';
import { GET_RESPONSE } from '../get.ts';
import { encodeAs, sequenceOf } from '../layout.ts';
import type { GetDataResult } from '../results.ts';
import { DATA_ACCESS_RESULT, GET_DATA_RESULT } from '../results.ts';
import { referenceOf } from '../selective-access.ts';
import type { ServerObjects } from './server-objects.ts';

/** Tag, form, invoke id, last, number, choice, length of the raw data in three bytes. */
const BLOCK_HEAD_BYTES = 12;

const RESULTS = sequenceOf(GET_DATA_RESULT);

/** What is still to be sent of one long answer. */
interface LongAnswer {
  readonly rest: Uint8Array;
  readonly blockNumber: number;
}

/** How much of the rest of a long answer goes into the next block. */
export type BlockBytesOf = (restBytes: number) => number;

/** Serves GET with one, with a list, and block by block where it does not fit (6.6). */
export class GetService {
  readonly #objects: ServerObjects;
  /** The longest APDU in clear that the client takes. */
  readonly #most: number;
  readonly #blockBytesOf: BlockBytesOf;
  #long: LongAnswer | undefined;

  constructor(objects: ServerObjects, most: number, blockBytesOf: BlockBytesOf = () => Infinity) {
    this.#objects = objects;
    this.#most = most;
    this.#blockBytesOf = blockBytesOf;
  }

  answer(request: GetRequest): Uint8Array {
    const { invokeIdAndPriority } = request;
    switch (request.kind) {
      case 'get-request-normal': {
        const result = this.#resultOf(request);
        const kind = 'get-response-normal';
        const raw = result.kind === 'data' ? encodeData(result.data) : new Uint8Array(0);
        return this.#fitting({ kind, invokeIdAndPriority, result }, raw);
      }
      case 'get-request-with-list': {
        const results = request.attributes.map((one) => this.#resultOf(one));
        const kind = 'get-response-with-list';
        return this.#fitting({ kind, invokeIdAndPriority, results }, encodeAs(RESULTS, results));
      }
      case 'get-request-next':
        return this.#next(invokeIdAndPriority, request.blockNumber);
    }
  }

  #resultOf(selected: SelectedAttribute): GetDataResult {
    const served = this.#objects.get(referenceOf(selected));
    if ('data' in served) return { kind: 'data', data: served.data };
    return { kind: 'data-access-result', result: DATA_ACCESS_RESULT[served.refused] };
  }

  #fitting(response: GetResponse, raw: Uint8Array): Uint8Array {
    this.#long = undefined;
    const whole = GET_RESPONSE.encode(response);
    if (whole.length <= this.#most) return whole;
    this.#long = { rest: raw.slice(), blockNumber: 0 };
    return this.#next(response.invokeIdAndPriority, 0);
  }

  #next(invokeIdAndPriority: number, acknowledged: number): Uint8Array {
    const long = this.#long;
    const kind = 'get-response-with-datablock';
    if (long?.blockNumber !== acknowledged) {
      const word = long === undefined ? 'no-long-get-in-progress' : 'data-block-number-invalid';
      this.#long = undefined;
      const refused = { kind: 'data-access-result', result: DATA_ACCESS_RESULT[word] } as const;
      const result = { lastBlock: true, blockNumber: acknowledged, result: refused };
      return GET_RESPONSE.encode({ kind, invokeIdAndPriority, result });
    }
    const wanted = this.#blockBytesOf(long.rest.length);
    const size = Math.max(1, Math.min(this.#most - BLOCK_HEAD_BYTES, wanted));
    const rawData = long.rest.subarray(0, size);
    const rest = long.rest.subarray(size);
    const blockNumber = long.blockNumber + 1;
    const lastBlock = rest.length === 0;
    this.#long = lastBlock ? undefined : { rest, blockNumber };
    const result = { lastBlock, blockNumber, result: { kind: 'raw-data', rawData } } as const;
    return GET_RESPONSE.encode({ kind, invokeIdAndPriority, result });
  }
}
