import { encodeData } from '../axdr.ts';
import type { AccessItem, ServiceRequest, ServiceResult } from '../service.ts';
import { accessExchange } from './access-exchange.ts';
import { actionExchange } from './action-exchange.ts';
import type { Exchange, ExchangeContext } from './exchange.ts';
import { getExchange, getPieces } from './get-exchange.ts';
import { setExchange } from './set-exchange.ts';
import type { ShortNames } from './short-name-exchange.ts';
import { invokeExchange, readExchange, writeExchange } from './short-name-exchange.ts';

/** What is begun by a request; `next-piece` only resumes. */
export type Begun = Exclude<ServiceRequest, { readonly kind: 'next-piece' }>;

/**
 * The exchange that answers a request, by logical names, or by short ones where there are `names`.
 * It yields its answer as its last step.
 */
export function* exchangeOf(
  request: Begun,
  context: ExchangeContext,
  names: ShortNames | undefined,
): Exchange {
  if (request.kind === 'get-pieces') {
    const refusal = yield* piecesOf(request, context, names);
    if (refusal === undefined) return;
    yield { kind: 'answer', answer: { kind: 'results', results: [refusal] } };
    return;
  }
  const results = yield* resultsOf(request, context, names);
  yield { kind: 'answer', answer: { kind: 'results', results } };
}

function* piecesOf(
  { attribute }: Extract<Begun, { kind: 'get-pieces' }>,
  context: ExchangeContext,
  names: ShortNames | undefined,
): Exchange<ServiceResult | undefined> {
  if (names === undefined) return yield* getPieces(attribute, context);
  // READ has no pieces: the whole is one.
  const [result] = yield* readExchange([attribute], names, context);
  if (result?.kind !== 'done' || result.data === undefined) return result;
  yield { kind: 'answer', answer: { kind: 'piece', bytes: encodeData(result.data), last: true } };
  return undefined;
}

export function* resultsOf(
  request: Exclude<Begun, { readonly kind: 'get-pieces' }>,
  context: ExchangeContext,
  names: ShortNames | undefined,
): Exchange<readonly ServiceResult[]> {
  switch (request.kind) {
    case 'get':
      return names === undefined
        ? yield* getExchange(request.attributes, context)
        : yield* readExchange(request.attributes, names, context);
    case 'set':
      return names === undefined
        ? yield* setExchange(request.items, context)
        : yield* writeExchange(request.items, names, context);
    case 'action':
      return names === undefined
        ? yield* actionExchange(request.items, context)
        : yield* invokeExchange(request.items, names, context);
    case 'access':
      return names === undefined && context.conformance.has('access')
        ? yield* accessExchange(request.items, context)
        : yield* oneByOne(request.items, context, names);
  }
}

/** What a server without ACCESS is asked instead. */
function* oneByOne(
  items: readonly AccessItem[],
  context: ExchangeContext,
  names: ShortNames | undefined,
): Exchange<readonly ServiceResult[]> {
  const results: ServiceResult[] = [];
  for (const item of items) results.push(...(yield* resultsOf(alone(item), context, names)));
  return results;
}

function alone(item: AccessItem): Exclude<Begun, { readonly kind: 'get-pieces' }> {
  switch (item.kind) {
    case 'get':
      return { kind: 'get', attributes: [item.attribute] };
    case 'set':
      return { kind: 'set', items: [{ attribute: item.attribute, data: item.data }] };
    case 'action': {
      const { method, parameters } = item;
      const given = parameters === undefined ? {} : { parameters };
      return { kind: 'action', items: [{ method, ...given }] };
    }
  }
}
