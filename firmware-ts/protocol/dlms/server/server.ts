import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import type { Connection, ConnectionEvent, Step } from '../../connection.ts';
import { decodeAarq, encodeRlre, decodeRlrq } from '../acse.ts';
import type { ActionResult } from '../action.ts';
import type { ApduLink, ApduLinkMessage } from '../apdu-link.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import { encodeExceptionResponse } from '../errors.ts';
import type { Authenticator } from '../protection.ts';
import { IN_CLEAR } from '../protection.ts';
import { DATA_ACCESS_RESULT } from '../results.ts';
import type { ActionItem } from '../service.ts';
import { Guesses } from './guesses.ts';
import { ServedEnvelope } from './served-envelope.ts';
import type { BlockBytesOf } from './served-get.ts';
import type { ServedNames } from './served-short-names.ts';
import type { Accepted, ServerAssociationOptions } from './server-association.ts';
import { judged } from './server-association.ts';
import type { ServerObjects } from './server-objects.ts';
import { Services } from './services.ts';

export interface DlmsServerOptions extends Omit<ServerAssociationOptions, 'authenticator'> {
  readonly link: ApduLink;
  readonly objects: ServerObjects;
  /** With a high mechanism: its side of each association, with a challenge of its own. */
  readonly authenticatorFor?: () => Authenticator;
  /** The invocation counter that a client whose own is refused is told to use at least. */
  readonly counterWanted?: () => number;
  /** Stands from the first byte, without AARQ. */
  readonly preEstablished?: Accepted;
  /** The most that this server sends at once; all that the client takes unless given. */
  readonly apduBytesMax?: number;
  /** Of a value that goes in blocks. Meters are known that end each where an element ends. */
  readonly blockBytesOf?: BlockBytesOf;
  /** General blocks of a stream that the client may send before it hears from us. */
  readonly blockWindow?: number;
  /** Of wrong passwords and proofs; one of its own unless connections share it. */
  readonly guesses?: Guesses;
  /** With `referencing` SN: what stands behind each short name. */
  readonly shortNames?: ServedNames;
}

export type DlmsServerMessage =
  | { readonly kind: 'associated' }
  | { readonly kind: 'released' }
  /** What was asked and could not be served; it was answered with an exception. */
  | { readonly kind: 'refused'; readonly failure: Failure };

/** An association and the services that it has. */
interface Standing {
  readonly accepted: Accepted;
  readonly authenticator: Authenticator | undefined;
  readonly services: Services;
  readonly envelope: ServedEnvelope;
  proofDue: boolean;
}

type Event = ConnectionEvent<DlmsServerMessage>;

interface Out {
  readonly send: Uint8Array[];
  readonly events: Event[];
}

const SERVICE_NOT_ALLOWED = 1;
const SERVICE_UNKNOWN = 2;
const SERVICE_ERROR = {
  operationNotPossible: 1,
  notSupported: 2,
  decipheringError: 5,
  counterError: 6,
} as const;
const PDU_UNLIMITED = 0xffff;
const BLOCK_WINDOW = 1;

/**
 * The server's side of one application association (IEC 62056-5-3, 6): what a simulated meter is
 * made of, and what recorded clients are played against.
 */
export class DlmsServer implements Connection<DlmsServerMessage> {
  readonly #options: DlmsServerOptions;
  readonly #guesses: Guesses;
  #standing: Standing | undefined;

  constructor(options: DlmsServerOptions) {
    this.#options = options;
    this.#guesses = options.guesses ?? new Guesses();
  }

  get deadline(): number {
    return this.#options.link.deadline;
  }

  start(at: number): Step<DlmsServerMessage> {
    const { preEstablished, link } = this.#options;
    this.#standing = preEstablished && this.#stand(preEstablished, undefined);
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
    for (const apdu of this.#served(bytes, out)) {
      this.#absorb(this.#options.link.send(apdu, at), at, out);
    }
  }

  /** What is answered, whatever came. */
  #served(bytes: Uint8Array, out: Out): readonly Uint8Array[] {
    try {
      if (bytes[0] === APDU_TAG.aarq) return [this.#associate(bytes, out)];
      if (bytes[0] === APDU_TAG.rlrq) return [this.#release(bytes, out)];
      return this.#service(bytes);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#tell({ kind: 'refused', failure: failureOf(error) }, out);
      return [exceptionFor(error, this.#options.counterWanted)];
    }
  }

  #associate(bytes: Uint8Array, out: Out): Uint8Array {
    this.#guesses.admit();
    const authenticator = this.#options.authenticatorFor?.();
    const options = { ...this.#options, ...(authenticator === undefined ? {} : { authenticator }) };
    const { aare, accepted, guessed } = judged(decodeAarq(bytes), options);
    if (guessed !== undefined) this.#guesses.judged(guessed === 'right');
    this.#standing = accepted && this.#stand(accepted, authenticator);
    if (accepted !== undefined) this.#tell({ kind: 'associated' }, out);
    return aare;
  }

  #release(bytes: Uint8Array, out: Out): Uint8Array {
    decodeRlrq(bytes);
    this.#released(out);
    return encodeRlre({ reason: 0 });
  }

  #stand(accepted: Accepted, authenticator: Authenticator | undefined): Standing {
    const { protection = IN_CLEAR, blockWindow = BLOCK_WINDOW } = this.#options;
    const { apduBytesMax = PDU_UNLIMITED, blockBytesOf, shortNames: names } = this.#options;
    const { clientMaxReceivePduSize: taken, conformance, proofDue } = accepted;
    const limit = Math.min(taken === 0 ? PDU_UNLIMITED : taken, apduBytesMax);
    const generalBlocks = conformance.has('generalBlockTransfer');
    const most = generalBlocks ? Infinity : limit - protection.overheadBytes;
    const objects = this.#provenOnly;
    const act = (item: ActionItem): ActionResult => this.#act(item);
    return {
      accepted,
      authenticator,
      services: new Services({ objects, act, most, blockBytesOf, names }),
      envelope: new ServedEnvelope({ protection, blockWindow, generalBlocks, apduBytesMax: limit }),
      proofDue,
    };
  }

  /** While the proof is due, READ of a short name is let in for it, and brings nothing else. */
  get #provenOnly(): ServerObjects {
    const { objects } = this.#options;
    const due = (): boolean => this.#standing?.proofDue === true;
    return {
      get: (attribute) => (due() ? { refused: DENIED_WORD } : objects.get(attribute)),
      set: (item) => (due() ? DENIED_WORD : objects.set(item)),
      act: (item) => objects.act(item),
    };
  }

  #service(bytes: Uint8Array): readonly Uint8Array[] {
    const standing = this.#standing;
    if (standing === undefined) throw notAllowed('there is no association');
    const { envelope } = standing;
    const opened = envelope.open(bytes);
    if (opened.kind === 'block') return opened.send;
    const answer = answered(opened.apdu, standing);
    return answer === undefined ? [] : envelope.seal(answer);
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
    const { high, callingAuthenticationValue: challenge } = standing.authenticator ?? {};
    const { clientChallenge, clientTitle = new Uint8Array(0) } = standing.accepted;
    const proof = item.parameters?.type === 'octet-string' ? item.parameters.value : undefined;
    const known = high !== undefined && challenge !== undefined && clientChallenge !== undefined;
    if (!known || proof === undefined || !isReplyToHls(item)) return DENIED;
    this.#guesses.admit();
    const right = high.judge(proof, clientChallenge, clientTitle) === undefined;
    this.#guesses.judged(right);
    if (!right) return DENIED;
    standing.proofDue = false;
    const data = { type: 'octet-string', value: high.reply(clientChallenge, clientTitle) } as const;
    return { result: DATA_ACCESS_RESULT.success, returnParameters: { kind: 'data', data } };
  }

  #tell(message: DlmsServerMessage, out: Out): void {
    out.events.push({ kind: 'message', offset: 0, length: 0, message });
  }
}

const DENIED_WORD = 'read-write-denied';
const DENIED: ActionResult = { result: DATA_ACCESS_RESULT[DENIED_WORD] };
/** What the proof comes with; nothing else is served by these while it is due. */
const PROVING: readonly (number | undefined)[] = [APDU_TAG.actionRequest, APDU_TAG.readRequest];
/** Method reply_to_HLS_authentication of each association class (IEC 62056-6-2, 4.4.3, 4.4.4). */
const REPLY_TO_HLS: Readonly<Record<number, number>> = { 15: 1, 12: 8 };

function isReplyToHls({ method }: ActionItem): boolean {
  return REPLY_TO_HLS[method.classId] === method.methodId;
}

function answered(apdu: Uint8Array, { services, proofDue }: Standing): Uint8Array | undefined {
  if (proofDue && !PROVING.includes(apdu[0])) throw notAllowed('the proof is still due');
  return services.answer(apdu);
}

function notAllowed(message: string): OperatingError {
  return new OperatingError('not-associated', message);
}

/** A text that a wrong key makes begins like an APDU now and then: the tag is what does not fit. */
const CIPHERING: readonly string[] = [
  'wrong-key',
  'wrong-authentication-key',
  'bad-tag',
  'key-missing',
  'not-authenticated',
];

function exceptionFor(
  { code }: OperatingError,
  counterWanted: DlmsServerOptions['counterWanted'],
): Uint8Array {
  const { operationNotPossible, notSupported, decipheringError, counterError } = SERVICE_ERROR;
  if (code === 'not-associated') {
    const serviceError = operationNotPossible;
    return encodeExceptionResponse({ stateError: SERVICE_NOT_ALLOWED, serviceError });
  }
  if (code === 'replayed' && counterWanted !== undefined) {
    const invocationCounter = counterWanted();
    const refusal = { stateError: SERVICE_UNKNOWN, serviceError: counterError };
    return encodeExceptionResponse({ ...refusal, invocationCounter });
  }
  const serviceError = CIPHERING.includes(code)
    ? decipheringError
    : code === 'service-unknown'
      ? notSupported
      : operationNotPossible;
  return encodeExceptionResponse({ stateError: SERVICE_UNKNOWN, serviceError });
}
