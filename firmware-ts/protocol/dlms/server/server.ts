import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import type { Connection, ConnectionEvent, Step } from '../../connection.ts';
import { decodeAarq, encodeRlre, decodeRlrq } from '../acse.ts';
import type { ActionResult } from '../action.ts';
import { ACTION_REQUEST } from '../action.ts';
import type { ApduLink, ApduLinkMessage } from '../apdu-link.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import { encodeExceptionResponse } from '../errors.ts';
import { GET_REQUEST } from '../get.ts';
import { IN_CLEAR } from '../protection.ts';
import { DATA_ACCESS_RESULT } from '../results.ts';
import type { ActionItem } from '../service.ts';
import { SET_REQUEST } from '../set.ts';
import { GetService } from './served-get.ts';
import { SetService } from './served-set.ts';
import { ActionService } from './served-action.ts';
import type { Accepted, ServerAssociationOptions } from './server-association.ts';
import { judged } from './server-association.ts';
import type { ServerObjects } from './server-objects.ts';

export interface DlmsServerOptions extends ServerAssociationOptions {
  readonly link: ApduLink;
  readonly objects: ServerObjects;
  /** Stands from the first byte, without AARQ. */
  readonly preEstablished?: Accepted;
}

export type DlmsServerMessage =
  | { readonly kind: 'associated' }
  | { readonly kind: 'released' }
  /** What was asked and could not be served; it was answered with an exception. */
  | { readonly kind: 'refused'; readonly failure: Failure };

/** An association and the services that it has. */
interface Standing {
  readonly accepted: Accepted;
  readonly get: GetService;
  readonly set: SetService;
  readonly action: ActionService;
  proofDue: boolean;
}

type Event = ConnectionEvent<DlmsServerMessage>;

interface Out {
  readonly send: Uint8Array[];
  readonly events: Event[];
}

const SERVICE_NOT_ALLOWED = 1;
const SERVICE_UNKNOWN = 2;
const SERVICE_ERROR = { operationNotPossible: 1, notSupported: 2, decipheringError: 5 } as const;
const PDU_UNLIMITED = 0xffff;

/**
 * The server's side of one application association with logical names (IEC 62056-5-3, 6): what a
 * simulated meter is made of, and what recorded clients are played against.
 */
export class DlmsServer implements Connection<DlmsServerMessage> {
  readonly #options: DlmsServerOptions;
  #standing: Standing | undefined;

  constructor(options: DlmsServerOptions) {
    this.#options = options;
  }

  get deadline(): number {
    return this.#options.link.deadline;
  }

  start(at: number): Step<DlmsServerMessage> {
    const { preEstablished, link } = this.#options;
    this.#standing = preEstablished && this.#stand(preEstablished);
    return this.#absorbed(link.start(at), at);
  }

  receive(chunk: Uint8Array, at: number): Step<DlmsServerMessage> {
    return this.#absorbed(this.#options.link.receive(chunk, at), at);
  }

  expire(at: number): Step<DlmsServerMessage> {
    return this.#absorbed(this.#options.link.expire(at), at);
  }

  stop(at: number): Step<DlmsServerMessage> {
    return this.#absorbed(this.#options.link.stop(at), at);
  }

  /** Sends an APDU unasked: a notification. */
  notify(apdu: Uint8Array, at: number): Step<DlmsServerMessage> {
    const bytes = this.#options.protection?.protect(apdu) ?? apdu;
    return this.#absorbed(this.#options.link.send(bytes, at), at);
  }

  #absorbed(step: Step<ApduLinkMessage>, at: number): Step<DlmsServerMessage> {
    const out: Out = { send: [], events: [] };
    this.#absorb(step, at, out);
    return out;
  }

  #absorb({ send, events }: Step<ApduLinkMessage>, at: number, out: Out): void {
    out.send.push(...send);
    for (const event of events) {
      if (event.kind !== 'message') out.events.push(event);
      else if (event.message.kind === 'closed') this.#released(out);
      else if (event.message.kind === 'apdu') this.#answer(event.message.bytes, at, out);
    }
  }

  #released(out: Out): void {
    if (this.#standing === undefined || this.#options.preEstablished !== undefined) return;
    this.#standing = undefined;
    this.#tell({ kind: 'released' }, out);
  }

  #answer(bytes: Uint8Array, at: number, out: Out): void {
    const apdu = this.#served(bytes, out);
    this.#absorb(this.#options.link.send(apdu, at), at, out);
  }

  /** What is answered, whatever came. */
  #served(bytes: Uint8Array, out: Out): Uint8Array {
    try {
      if (bytes[0] === APDU_TAG.aarq) return this.#associate(bytes, out);
      if (bytes[0] === APDU_TAG.rlrq) return this.#release(bytes, out);
      return this.#service(bytes);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#tell({ kind: 'refused', failure: failureOf(error) }, out);
      return exceptionFor(error);
    }
  }

  #associate(bytes: Uint8Array, out: Out): Uint8Array {
    const { aare, accepted } = judged(decodeAarq(bytes), this.#options);
    this.#standing = accepted && this.#stand(accepted);
    if (accepted !== undefined) this.#tell({ kind: 'associated' }, out);
    return aare;
  }

  #release(bytes: Uint8Array, out: Out): Uint8Array {
    decodeRlrq(bytes);
    this.#released(out);
    return encodeRlre({ reason: 0 });
  }

  #stand(accepted: Accepted): Standing {
    const { objects, protection = IN_CLEAR } = this.#options;
    const { clientMaxReceivePduSize } = accepted;
    const limit = clientMaxReceivePduSize === 0 ? PDU_UNLIMITED : clientMaxReceivePduSize;
    const most = limit - protection.overheadBytes;
    return {
      accepted,
      get: new GetService(objects, most),
      set: new SetService(objects),
      action: new ActionService((item) => this.#act(item), most),
      proofDue: accepted.proofDue,
    };
  }

  #service(bytes: Uint8Array): Uint8Array {
    const { protection = IN_CLEAR } = this.#options;
    const standing = this.#standing;
    if (standing === undefined) throw notAllowed('there is no association');
    const { apdu } = protection.unprotect(bytes);
    return protection.protect(answered(apdu, standing));
  }

  #act(item: ActionItem): ActionResult {
    const standing = this.#standing;
    if (standing?.proofDue === true) return this.#proven(item, standing);
    const { result, data } = this.#options.objects.act(item);
    const number = DATA_ACCESS_RESULT[result];
    if (data === undefined) return { result: number };
    return { result: number, returnParameters: { kind: 'data', data } };
  }

  /** Passes 3 and 4: the client's proof is judged, and answered with the server's own. */
  #proven(item: ActionItem, standing: Standing): ActionResult {
    const { high, callingAuthenticationValue: challenge } = this.#options.authenticator ?? {};
    const { clientChallenge, clientTitle = new Uint8Array(0) } = standing.accepted;
    const proof = item.parameters?.type === 'octet-string' ? item.parameters.value : undefined;
    const known = high !== undefined && challenge !== undefined && clientChallenge !== undefined;
    if (!known || proof === undefined || !isReplyToHls(item)) return DENIED;
    if (high.judge(proof, clientChallenge, clientTitle) !== undefined) return DENIED;
    standing.proofDue = false;
    const data = { type: 'octet-string', value: high.reply(clientChallenge, clientTitle) } as const;
    return { result: DATA_ACCESS_RESULT.success, returnParameters: { kind: 'data', data } };
  }

  #tell(message: DlmsServerMessage, out: Out): void {
    out.events.push({ kind: 'message', offset: 0, length: 0, message });
  }
}

const DENIED: ActionResult = { result: DATA_ACCESS_RESULT['read-write-denied'] };
const ASSOCIATION_LN = 15;

function isReplyToHls({ method }: ActionItem): boolean {
  return method.classId === ASSOCIATION_LN && method.methodId === 1;
}

function answered(apdu: Uint8Array, { get, set, action, proofDue }: Standing): Uint8Array {
  const [tag] = apdu;
  if (proofDue && tag !== APDU_TAG.actionRequest) throw notAllowed('the proof is still due');
  switch (tag) {
    case APDU_TAG.getRequest:
      return get.answer(GET_REQUEST.decode(apdu));
    case APDU_TAG.setRequest:
      return set.answer(SET_REQUEST.decode(apdu));
    case APDU_TAG.actionRequest:
      return action.answer(ACTION_REQUEST.decode(apdu));
    default:
      throw new OperatingError('service-unknown', 'a service that is not served', { offset: 0 });
  }
}

function notAllowed(message: string): OperatingError {
  return new OperatingError('not-associated', message);
}

const CIPHERING: readonly string[] = ['wrong-key', 'bad-tag', 'key-missing', 'not-authenticated'];

function exceptionFor({ code }: OperatingError): Uint8Array {
  const { operationNotPossible, notSupported, decipheringError } = SERVICE_ERROR;
  if (code === 'not-associated') {
    const serviceError = operationNotPossible;
    return encodeExceptionResponse({ stateError: SERVICE_NOT_ALLOWED, serviceError });
  }
  const serviceError = CIPHERING.includes(code)
    ? decipheringError
    : code === 'service-unknown'
      ? notSupported
      : operationNotPossible;
  return encodeExceptionResponse({ stateError: SERVICE_UNKNOWN, serviceError });
}
