import type { Failure } from '#bytes/failure.ts';
import { OperatingError, errorOf } from '#bytes/failure.ts';
import { APDU_TAG, apduName } from '../apdu-tags.ts';
import type { Conformance } from '../conformance.ts';
import {
  CONFIRMED_SERVICE_ERROR,
  decodeExceptionResponse,
  exceptionWords,
  serviceErrorWords,
} from '../errors.ts';
import type { Apdu } from '../layout.ts';
import type { ServiceAnswer, ServiceResult } from '../service.ts';
import { dataAccessWord, refusalOf } from '../results.ts';
import type { Association } from './agreement.ts';

/**
 * One request and all that it takes until it is answered: blocks, lists, parts. A generator over
 * APDUs in clear; whoever runs it protects, sends and receives.
 */
export type Exchange<Result = void> = Generator<ExchangeStep, Result, Uint8Array>;

export type ExchangeStep =
  /** Send this, then wait for an APDU. */
  | { readonly kind: 'send'; readonly apdu: Uint8Array }
  /** What came was not for this exchange: wait for another. */
  | { readonly kind: 'wait' }
  /** The association is agreed on; what follows, up to the end, proves both sides. */
  | { readonly kind: 'agreed'; readonly association: Association }
  /** What was asked is answered; the next resumption wants more of it (`next-piece`). */
  | { readonly kind: 'answer'; readonly answer: ServiceAnswer };

/** What was negotiated, as far as it decides how something is asked. */
export interface ExchangeContext {
  readonly conformance: Conformance;
  /** The longest APDU in clear that the server takes once it is protected; `Infinity`: no limit. */
  readonly requestBytesMax: number;
  /** Invoke-Id-And-Priority of the next request. */
  nextInvokeId(): number;
}

/** Lists are answered from one buffer; meters are known to choke on more. */
export const LIST_COUNT_MAX = 64;

const INVOKE_ID = 0x0f;

type Answering<Answer> = Pick<Apdu<Answer>, 'decodeLeading'>;

interface Invoked {
  readonly invokeIdAndPriority: number;
}

/**
 * Sends a request and gives the answer to it. An answer to an earlier request, which came too late,
 * is passed over. Errors: `service-refused` and others of `refusedWith`, those of `decodeLeading`.
 */
export function* asked<Answer extends Invoked>(
  request: Uint8Array,
  invokeId: number,
  codec: Answering<Answer>,
): Exchange<Answer> {
  let apdu = yield { kind: 'send', apdu: request };
  for (;;) {
    const answer = answerIn(apdu, codec);
    if ((answer.invokeIdAndPriority & INVOKE_ID) === (invokeId & INVOKE_ID)) return answer;
    apdu = yield { kind: 'wait' };
  }
}

/** The APDU as an answer. Servers are known that send rubbish behind one. */
export function answerIn<Answer>(apdu: Uint8Array, codec: Answering<Answer>): Answer {
  throwRefusal(apdu);
  return codec.decodeLeading(apdu).value;
}

/** Errors: what an exception-response or a confirmed-service-error says. */
export function throwRefusal(apdu: Uint8Array): void {
  const failure = refusedWith(apdu);
  if (failure !== undefined) throw errorOf(failure);
}

/** `undefined` where the APDU refuses nothing. */
function refusedWith(apdu: Uint8Array): Failure | undefined {
  if (apdu[0] === APDU_TAG.exceptionResponse) return exceptionFailure(apdu);
  if (apdu[0] !== APDU_TAG.confirmedServiceError) return undefined;
  const { value } = CONFIRMED_SERVICE_ERROR.decodeLeading(apdu);
  const message = `the meter answered ${serviceErrorWords(value)}`;
  return { code: 'service-refused', message, hint: REFUSED_HINT };
}

/** Meters say this of a seal that does not fit, too. */
const REFUSED_HINT =
  'another client or mechanism may have this service; where it is ciphered, compare all keys';
const DECIPHERING_ERROR = 5;
const INVOCATION_COUNTER_ERROR = 6;

function exceptionFailure(apdu: Uint8Array): Failure {
  const exception = decodeExceptionResponse(apdu);
  const message = `the meter answered ${exceptionWords(exception)}`;
  switch (exception.serviceError) {
    case DECIPHERING_ERROR: {
      const hint = 'compare both keys and the system title with what the meter was given';
      return { code: 'wrong-key', message, hint };
    }
    case INVOCATION_COUNTER_ERROR: {
      const { invocationCounter } = exception;
      const wanted = invocationCounter === undefined ? '' : `, it wants ${invocationCounter}`;
      const hint = 'read the counter with a public client and go on above it';
      return { code: 'counter-out-of-step', message: message + wanted, hint };
    }
    default:
      return { code: 'service-refused', message, hint: REFUSED_HINT };
  }
}

export function refused(result: number, word = dataAccessWord(result)): ServiceResult {
  return { kind: 'refused', result: word, failure: refusalOf(word) };
}

/** The answer has another form than the standard lets it have. */
export function unexpectedForm(apduTag: number, kind: string): OperatingError {
  const message = `${apduName(apduTag)} was answered with ${kind}`;
  return new OperatingError('unexpected-answer', message);
}

/** Blocks without a byte, one after another: beyond this the peer will not come to an end. */
const EMPTY_BLOCKS_MAX = 16;

/** The next block has the next number and brings something; else the server runs in circles. */
export class BlockCount {
  #last: number | undefined;
  #empty = 0;

  /** Errors: `block-out-of-order`, `endless-blocks`. Some servers count from 0. */
  take(blockNumber: number, { length }: Uint8Array): void {
    const wanted = this.#last === undefined ? [0, 1] : [this.#last + 1];
    if (!wanted.includes(blockNumber)) {
      const message = `block ${blockNumber} came instead of ${wanted.at(-1)}`;
      throw new OperatingError('block-out-of-order', message, { field: 'block-number' });
    }
    this.#last = blockNumber;
    this.#empty = length === 0 ? this.#empty + 1 : 0;
    if (this.#empty <= EMPTY_BLOCKS_MAX) return;
    throw new OperatingError('endless-blocks', `${this.#empty} blocks without a byte`, {
      field: 'block-number',
    });
  }
}

/** `items` in lists of at most `most`, each within `bytesMax` by what `bytesOf` tells of one. */
export function listsOf<Item>(
  items: readonly Item[],
  most: number,
  bytesMax: number,
  bytesOf: (item: Item) => number,
): readonly (readonly Item[])[] {
  const lists: Item[][] = [];
  let room = 0;
  for (const item of items) {
    const list = lists.at(-1);
    const bytes = bytesOf(item);
    if (list === undefined || list.length >= most || bytes > room) {
      lists.push([item]);
      room = bytesMax - bytes;
    } else {
      list.push(item);
      room -= bytes;
    }
  }
  return lists;
}
