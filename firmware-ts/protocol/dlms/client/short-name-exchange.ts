import { Reader } from '#bytes/cursor.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import { encodeData, readData } from '../axdr.ts';
import type { Data } from '../data.ts';
import { Gathered } from '../gathered.ts';
import { sequenceOf } from '../layout.ts';
import { selectionOf } from '../selective-access.ts';
import type { ActionItem, AttributeReference, ServiceResult, SetItem } from '../service.ts';
import type { ReadResult, VariableAccess, WriteResult } from '../short-names.ts';
import {
  READ_REQUEST,
  READ_RESPONSE,
  READ_RESULT,
  WRITE_REQUEST,
  WRITE_RESPONSE,
} from '../short-names.ts';
import type { Exchange, ExchangeContext } from './exchange.ts';
import {
  BlockCount,
  LIST_COUNT_MAX,
  answerIn,
  listsOf,
  refused,
  unexpectedForm,
} from './exchange.ts';

/** The short name of an attribute or a method, or `undefined` where the server has none. */
export interface ShortNames {
  attribute(classId: number, logicalName: Uint8Array, attributeId: number): number | undefined;
  method(classId: number, logicalName: Uint8Array, methodId: number): number | undefined;
}

/** An element of one READ or WRITE, and where its result belongs. */
interface Named {
  readonly place: number;
  readonly access: VariableAccess;
  readonly data?: Data;
}

/** READ of attributes (IEC 62056-5-3, 6.14). */
export function* readExchange(
  attributes: readonly AttributeReference[],
  names: ShortNames,
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const named = attributes.map((attribute, place) => readAccess(attribute, place, names));
  return yield* eachOf(named, attributes.length, context, readList);
}

/** WRITE of attributes (6.15). */
export function* writeExchange(
  items: readonly SetItem[],
  names: ShortNames,
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const named = items.map(({ attribute, data }, place) => {
    const access = readAccess(attribute, place, names);
    return access === undefined ? undefined : { ...access, data };
  });
  return yield* eachOf(named, items.length, context, writeList);
}

/** A method is written if it returns nothing, and read with its parameters if it may (6.14). */
export function* invokeExchange(
  items: readonly ActionItem[],
  names: ShortNames,
  context: ExchangeContext,
): Exchange<readonly ServiceResult[]> {
  const named = items.map(({ method, parameters }, place): Named | undefined => {
    const name = names.method(method.classId, method.instanceId, method.methodId);
    if (name === undefined) return undefined;
    const parameter: Data = parameters ?? { type: 'integer', value: 0 };
    const access = parameterized(name, 0, parameter);
    return { place, access };
  });
  return yield* eachOf(named, items.length, context, readList);
}

function readAccess(
  { access, ...attribute }: AttributeReference,
  place: number,
  names: ShortNames,
): Named | undefined {
  const { classId, instanceId, attributeId } = attribute;
  const name = names.attribute(classId, instanceId, attributeId);
  if (name === undefined) return undefined;
  if (access === undefined) return { place, access: variable(name) };
  const { accessSelector, accessParameters } = selectionOf(access);
  return { place, access: parameterized(name, accessSelector, accessParameters) };
}

function variable(name: number): VariableAccess {
  return { kind: 'variable-name', variableName: signed(name) };
}

function parameterized(name: number, selector: number, parameter: Data): VariableAccess {
  return { kind: 'parameterized-access', variableName: signed(name), selector, parameter };
}

/** ObjectName is an Integer16. */
function signed(name: number): number {
  return (name << 16) >> 16;
}

/** What has no name is refused here; the rest is asked for in lists. */
function* eachOf(
  named: readonly (Named | undefined)[],
  count: number,
  context: ExchangeContext,
  ask: (list: readonly Named[]) => Exchange<readonly ServiceResult[]>,
): Exchange<readonly ServiceResult[]> {
  const results: ServiceResult[] = Array.from({ length: count }, () => NAMELESS);
  const known = named.filter((one) => one !== undefined);
  const most = context.conformance.has('multipleReferences') ? LIST_COUNT_MAX : 1;
  for (const list of listsOf(known, most, context.requestBytesMax, bytesOf)) {
    const answered = yield* ask(list);
    if (answered.length !== list.length) {
      throw unexpectedForm(APDU_TAG.readRequest, `${answered.length} results`);
    }
    for (const [index, { place }] of list.entries()) results[place] = answered[index] ?? NAMELESS;
  }
  return results;
}

const NAMELESS: ServiceResult = {
  kind: 'refused',
  result: 'object-undefined',
  failure: {
    code: 'object-missing',
    message: 'the meter has no short name for this object',
    hint: 'see what this meter has with `normctl meter objects`',
  },
};

/** Tag, name or selector, and the value. */
function bytesOf({ access, data }: Named): number {
  const parameter = access.kind === 'parameterized-access' ? encodeData(access.parameter) : [];
  return 8 + parameter.length + (data === undefined ? 0 : encodeData(data).length);
}

function* readList(list: readonly Named[]): Exchange<readonly ServiceResult[]> {
  const results = yield* read(list.map(({ access }) => access));
  const [first] = results;
  if (first?.kind !== 'data-block-result') return results.map(readResult);
  return yield* readBlocks(first, list.length);
}

function* read(variables: readonly VariableAccess[]): Exchange<readonly ReadResult[]> {
  const apdu = yield { kind: 'send', apdu: READ_REQUEST.encode(variables) };
  return answerIn(apdu, READ_RESPONSE);
}

type DataBlockResult = Extract<ReadResult, { kind: 'data-block-result' }>;

/** Asks for block after block (6.14, block-number-access). */
function* readBlocks(first: DataBlockResult, count: number): Exchange<readonly ServiceResult[]> {
  const gathered = new Gathered();
  const blocks = new BlockCount();
  for (let block = first; ; block = yield* nextBlock(block.blockNumber)) {
    blocks.take(block.blockNumber, block.rawData);
    gathered.add(block.rawData);
    if (block.lastBlock) break;
  }
  return joinedResults(gathered.whole(), count);
}

/** Of one, servers send the bare value or a list with one result; of several, the list. */
function joinedResults(bytes: Uint8Array, count: number): readonly ServiceResult[] {
  if (count === 1 && !(bytes[0] === 1 && (bytes[1] === 0 || bytes[1] === 1))) {
    return [{ kind: 'done', data: readData(new Reader(bytes)) }];
  }
  const results = RESULTS.read(new Reader(bytes), 'results');
  return results.map(readResult);
}

const RESULTS = sequenceOf(READ_RESULT);

function* nextBlock(blockNumber: number): Exchange<DataBlockResult> {
  const [result] = yield* read([{ kind: 'block-number-access', blockNumber }]);
  if (result?.kind === 'data-block-result') return result;
  throw unexpectedForm(APDU_TAG.readRequest, result?.kind ?? 'nothing');
}

function readResult(result: ReadResult): ServiceResult {
  if (result.kind === 'data') return { kind: 'done', data: result.data };
  if (result.kind === 'data-access-error') return refused(result.result);
  throw unexpectedForm(APDU_TAG.readRequest, result.kind);
}

function* writeList(list: readonly Named[]): Exchange<readonly ServiceResult[]> {
  const variables = list.map(({ access }) => access);
  const data = list.map(({ data: value }): Data => value ?? { type: 'null-data', value: null });
  const apdu = yield { kind: 'send', apdu: WRITE_REQUEST.encode({ variables, data }) };
  return answerIn(apdu, WRITE_RESPONSE).map(writeResult);
}

function writeResult(result: WriteResult): ServiceResult {
  if (result.kind === 'success') return { kind: 'done' };
  if (result.kind === 'data-access-error') return refused(result.result);
  throw unexpectedForm(APDU_TAG.writeRequest, result.kind);
}
