import { Reader } from '#bytes/cursor.ts';
import type { ActionResult } from '../action.ts';
import type { DataBlock } from '../blocks.ts';
import type { AttributeDescriptor, Data } from '../data.ts';
import { encodeAs, sequenceOf } from '../layout.ts';
import { DATA_ACCESS_RESULT } from '../results.ts';
import { referenceOf } from '../selective-access.ts';
import type { MethodDescriptor } from '../service.ts';
import type { ReadResult, VariableAccess, WriteRequest, WriteResult } from '../short-names.ts';
import {
  READ_RESPONSE,
  READ_RESULT,
  VARIABLE_ACCESS,
  WRITE_REQUEST_BODY,
  WRITE_RESPONSE,
} from '../short-names.ts';
import { RequestBlocks } from './request-blocks.ts';
import type { Act } from './served-action.ts';
import type { ServerObjects } from './server-objects.ts';

/** What stands behind a short name. */
export type Named =
  | { readonly kind: 'attribute'; readonly attribute: AttributeDescriptor }
  | { readonly kind: 'method'; readonly method: MethodDescriptor };

/** The short names of a server; a name has 16 bits. */
export interface ServedNames {
  find(name: number): Named | undefined;
}

export interface ShortNameOptions {
  readonly names: ServedNames;
  readonly objects: ServerObjects;
  readonly act: Act;
  /** The longest APDU in clear that the client takes. */
  readonly most: number;
}

/** Tag, count, choice, last, number, length of the raw data in three bytes. */
const BLOCK_HEAD_BYTES = 9;
const NULL_DATA: Data = { type: 'null-data', value: null };
const VARIABLES = sequenceOf(VARIABLE_ACCESS);
const RESULTS = sequenceOf(READ_RESULT);

type Unblocked = Extract<VariableAccess, { kind: 'variable-name' | 'parameterized-access' }>;

/** Serves READ and WRITE of short names, and in blocks both ways (IEC 62056-5-3, 6.14, 6.15). */
export class ShortNameService {
  readonly #options: ShortNameOptions;
  readonly #reading = new RequestBlocks<undefined>();
  readonly #writing = new RequestBlocks<undefined>();
  #long: { readonly rest: Uint8Array; readonly blockNumber: number } | undefined;

  constructor(options: ShortNameOptions) {
    this.#options = options;
  }

  read(variables: readonly VariableAccess[]): Uint8Array {
    const [first] = variables;
    if (first?.kind === 'block-number-access') return this.#next(first.blockNumber);
    if (first?.kind === 'read-data-block-access') return this.#readBlock(first);
    this.#long = undefined;
    const results = variables.map((one) => this.#readOne(one));
    const whole = READ_RESPONSE.encode(results);
    if (whole.length <= this.#options.most) return whole;
    this.#long = { rest: encodeAs(RESULTS, results), blockNumber: 0 };
    return this.#next(0);
  }

  write({ variables, data }: WriteRequest): Uint8Array {
    const [first] = variables;
    if (first?.kind === 'write-data-block-access') return this.#writeBlock(first, data[0]);
    const results = variables.map((one, index) => this.#writeOne(one, data[index] ?? NULL_DATA));
    return WRITE_RESPONSE.encode(results);
  }

  #readOne(access: VariableAccess): ReadResult {
    const found = this.#found(access);
    if (found === undefined) return error('object-undefined');
    const { named, unblocked } = found;
    if (named.kind === 'method') return readResultOf(this.#invoke(named.method, unblocked));
    const served = this.#options.objects.get(referenceOf({ ...named, ...selected(unblocked) }));
    return 'data' in served ? { kind: 'data', data: served.data } : error(served.refused);
  }

  #writeOne(access: VariableAccess, data: Data): WriteResult {
    const found = this.#found(access);
    if (found === undefined) return error('object-undefined');
    const { named, unblocked } = found;
    if (named.kind === 'method') {
      const { result } = this.#options.act({ method: named.method, parameters: data });
      return result === 0 ? { kind: 'success' } : { kind: 'data-access-error', result };
    }
    const attribute = referenceOf({ ...named, ...selected(unblocked) });
    const word = this.#options.objects.set({ attribute, data });
    return word === 'success' ? { kind: 'success' } : error(word);
  }

  #invoke(method: MethodDescriptor, access: Unblocked): ActionResult {
    const given = access.kind === 'parameterized-access' ? { parameters: access.parameter } : {};
    return this.#options.act({ method, ...given });
  }

  /** `undefined` where the name is nobody's, or a block stands among other requests. */
  #found(access: VariableAccess): { named: Named; unblocked: Unblocked } | undefined {
    if (access.kind !== 'variable-name' && access.kind !== 'parameterized-access') return undefined;
    const named = this.#options.names.find(access.variableName & 0xffff);
    return named && { named, unblocked: access };
  }

  #next(acknowledged: number): Uint8Array {
    const long = this.#long;
    if (long?.blockNumber !== acknowledged) {
      this.#long = undefined;
      const word = long === undefined ? 'no-long-get-in-progress' : 'data-block-number-invalid';
      return READ_RESPONSE.encode([error(word)]);
    }
    const size = Math.max(1, this.#options.most - BLOCK_HEAD_BYTES);
    const rawData = long.rest.subarray(0, size);
    const rest = long.rest.subarray(size);
    const blockNumber = acknowledged + 1;
    const lastBlock = rest.length === 0;
    this.#long = lastBlock ? undefined : { rest, blockNumber };
    return READ_RESPONSE.encode([{ kind: 'data-block-result', lastBlock, blockNumber, rawData }]);
  }

  /** A long request comes in blocks; each is answered by its number. */
  #readBlock(block: DataBlock): Uint8Array {
    const taken = this.#taken(this.#reading, block);
    if (taken.kind === 'refused') return READ_RESPONSE.encode([taken.result]);
    if (taken.kind === 'whole') return this.read(VARIABLES.read(new Reader(taken.raw), 'request'));
    const { blockNumber } = block;
    return READ_RESPONSE.encode([{ kind: 'block-number', blockNumber }]);
  }

  #writeBlock(
    { lastBlock, blockNumber }: Pick<DataBlock, 'lastBlock' | 'blockNumber'>,
    data: Data = NULL_DATA,
  ): Uint8Array {
    if (data.type !== 'octet-string') return WRITE_RESPONSE.encode([error('type-unmatched')]);
    const taken = this.#taken(this.#writing, { lastBlock, blockNumber, rawData: data.value });
    if (taken.kind === 'refused') return WRITE_RESPONSE.encode([taken.result]);
    if (taken.kind === 'more') {
      return WRITE_RESPONSE.encode([{ kind: 'block-number', blockNumber }]);
    }
    return this.write(WRITE_REQUEST_BODY.read(new Reader(taken.raw), 'request'));
  }

  #taken(blocks: RequestBlocks<undefined>, block: DataBlock): Taken {
    if (block.blockNumber === 1) blocks.begin(undefined);
    const taken = blocks.take(block);
    if (taken.kind === 'whole') return { kind: 'whole', raw: taken.raw };
    if (taken.kind === 'more') return taken;
    const begun = taken.kind === 'out-of-order';
    const word = begun ? 'data-block-number-invalid' : 'no-long-set-in-progress';
    return { kind: 'refused', result: error(word) };
  }
}

type Refused = Extract<ReadResult, { kind: 'data-access-error' }>;

type Taken =
  | { readonly kind: 'more' }
  | { readonly kind: 'whole'; readonly raw: Uint8Array }
  | { readonly kind: 'refused'; readonly result: Refused };

function error(word: keyof typeof DATA_ACCESS_RESULT): Refused {
  return { kind: 'data-access-error', result: DATA_ACCESS_RESULT[word] };
}

function selected(access: Unblocked) {
  if (access.kind === 'variable-name') return {};
  const { selector: accessSelector, parameter: accessParameters } = access;
  return { accessSelection: { accessSelector, accessParameters } };
}

function readResultOf({ result, returnParameters }: ActionResult): ReadResult {
  if (result !== DATA_ACCESS_RESULT.success) return { kind: 'data-access-error', result };
  if (returnParameters?.kind !== 'data') return { kind: 'data', data: NULL_DATA };
  return { kind: 'data', data: returnParameters.data };
}
