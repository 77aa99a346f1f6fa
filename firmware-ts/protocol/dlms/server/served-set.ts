import { Reader } from '#bytes/cursor.ts';
import { decodeData } from '../axdr.ts';
import type { DataBlock } from '../blocks.ts';
import type { Data } from '../data.ts';
import type { SelectedAttribute } from '../descriptors.ts';
import { DATA_LIST } from '../layout.ts';
import type { DataAccessWord } from '../results.ts';
import { DATA_ACCESS_RESULT } from '../results.ts';
import type { SetRequest, SetResponse } from '../set.ts';
import { referenceOf } from '../selective-access.ts';
import { SET_RESPONSE } from '../set.ts';
import { RequestBlocks } from './request-blocks.ts';
import type { ServerObjects } from './server-objects.ts';

/** Whose values come in blocks. */
interface LongSet {
  readonly attributes: readonly SelectedAttribute[];
  readonly list: boolean;
}

/** Serves SET with one, with a list, and in blocks (IEC 62056-5-3, 6.7). */
export class SetService {
  readonly #objects: ServerObjects;
  readonly #blocks = new RequestBlocks<LongSet>();

  constructor(objects: ServerObjects) {
    this.#objects = objects;
  }

  answer(request: SetRequest): Uint8Array {
    return SET_RESPONSE.encode(this.#response(request));
  }

  #response(request: SetRequest): SetResponse {
    const { invokeIdAndPriority } = request;
    switch (request.kind) {
      case 'set-request-normal': {
        const result = DATA_ACCESS_RESULT[this.#set(request, request.value)];
        return { kind: 'set-response-normal', invokeIdAndPriority, result };
      }
      case 'set-request-with-list': {
        const results = this.#setAll(request.attributes, request.values);
        return { kind: 'set-response-with-list', invokeIdAndPriority, results };
      }
      case 'set-request-with-first-datablock':
        this.#blocks.begin({ attributes: [request], list: false });
        return this.#block(request.datablock, invokeIdAndPriority);
      case 'set-request-with-list-and-first-datablock':
        this.#blocks.begin({ attributes: request.attributes, list: true });
        return this.#block(request.datablock, invokeIdAndPriority);
      case 'set-request-with-datablock':
        return this.#block(request.datablock, invokeIdAndPriority);
    }
  }

  #block(block: DataBlock, invokeIdAndPriority: number): SetResponse {
    const { blockNumber } = block;
    const taken = this.#blocks.take(block);
    switch (taken.kind) {
      case 'more':
        return { kind: 'set-response-datablock', invokeIdAndPriority, blockNumber };
      case 'whole':
        return this.#last(taken.meant, taken.raw, { invokeIdAndPriority, blockNumber });
      default: {
        const begun = taken.kind === 'out-of-order';
        const word = begun ? 'data-block-number-invalid' : 'no-long-set-in-progress';
        const result = DATA_ACCESS_RESULT[word];
        return { kind: 'set-response-last-datablock', invokeIdAndPriority, result, blockNumber };
      }
    }
  }

  #last(
    { attributes, list }: LongSet,
    raw: Uint8Array,
    head: { readonly invokeIdAndPriority: number; readonly blockNumber: number },
  ): SetResponse {
    if (list) {
      const results = this.#setAll(attributes, DATA_LIST.read(new Reader(raw), 'values'));
      return { kind: 'set-response-last-datablock-with-list', ...head, results };
    }
    const [result = DATA_ACCESS_RESULT['other-reason']] = this.#setAll(attributes, [
      decodeData(raw),
    ]);
    return { kind: 'set-response-last-datablock', ...head, result };
  }

  #setAll(attributes: readonly SelectedAttribute[], values: readonly Data[]): readonly number[] {
    return attributes.map((attribute, index) => {
      const value = values[index];
      const word = value === undefined ? 'type-unmatched' : this.#set(attribute, value);
      return DATA_ACCESS_RESULT[word];
    });
  }

  #set(selected: SelectedAttribute, data: Data): DataAccessWord {
    return this.#objects.set({ attribute: referenceOf(selected), data });
  }
}
