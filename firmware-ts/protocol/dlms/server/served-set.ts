import { Reader } from '#bytes/cursor.ts';
import { decodeData, readData } from '../axdr.ts';
import type { DataBlock } from '../blocks.ts';
import { Gathered } from '../client/exchange.ts';
import type { Data } from '../data.ts';
import type { SelectedAttribute } from '../descriptors.ts';
import { readLength } from '../length.ts';
import type { DataAccessWord } from '../results.ts';
import { DATA_ACCESS_RESULT } from '../results.ts';
import type { SetRequest, SetResponse } from '../set.ts';
import { SET_RESPONSE } from '../set.ts';
import type { ServerObjects } from './server-objects.ts';
import { referenceOf } from './served-get.ts';

/** A value that comes in blocks. */
interface LongSet {
  readonly attributes: readonly SelectedAttribute[];
  readonly list: boolean;
  readonly gathered: Gathered;
  blockNumber: number;
}

/** Serves SET with one, with a list, and in blocks (IEC 62056-5-3, 6.7). */
export class SetService {
  readonly #objects: ServerObjects;
  #long: LongSet | undefined;

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
        this.#begin([request], false);
        return this.#block(request.datablock, invokeIdAndPriority);
      case 'set-request-with-list-and-first-datablock':
        this.#begin(request.attributes, true);
        return this.#block(request.datablock, invokeIdAndPriority);
      case 'set-request-with-datablock':
        return this.#block(request.datablock, invokeIdAndPriority);
    }
  }

  #begin(attributes: readonly SelectedAttribute[], list: boolean): void {
    this.#long = { attributes, list, gathered: new Gathered(), blockNumber: 0 };
  }

  #block(block: DataBlock, invokeIdAndPriority: number): SetResponse {
    const { blockNumber } = block;
    const long = this.#long;
    if (long === undefined || blockNumber !== long.blockNumber + 1) {
      this.#long = undefined;
      const word = long === undefined ? 'no-long-set-in-progress' : 'data-block-number-invalid';
      const result = DATA_ACCESS_RESULT[word];
      return { kind: 'set-response-last-datablock', invokeIdAndPriority, result, blockNumber };
    }
    long.gathered.add(block.rawData);
    long.blockNumber = blockNumber;
    if (!block.lastBlock) {
      return { kind: 'set-response-datablock', invokeIdAndPriority, blockNumber };
    }
    this.#long = undefined;
    return this.#last(long, invokeIdAndPriority);
  }

  #last(long: LongSet, invokeIdAndPriority: number): SetResponse {
    const { attributes, list, gathered, blockNumber } = long;
    const raw = gathered.whole();
    const results = this.#setAll(attributes, list ? listFrom(raw) : [decodeData(raw)]);
    if (list) {
      const kind = 'set-response-last-datablock-with-list';
      return { kind, invokeIdAndPriority, results, blockNumber };
    }
    const [result = DATA_ACCESS_RESULT['other-reason']] = results;
    return { kind: 'set-response-last-datablock', invokeIdAndPriority, result, blockNumber };
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

function listFrom(raw: Uint8Array): readonly Data[] {
  const reader = new Reader(raw);
  const count = readLength(reader, 'count');
  const values: Data[] = [];
  while (values.length < count) values.push(readData(reader));
  return values;
}
