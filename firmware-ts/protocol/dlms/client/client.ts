import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Connection, ConnectionEvent, Step } from '../../connection.ts';
import type { ApduLink, ApduLinkMessage, LineChange } from '../apdu-link.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import type { Protection } from '../protection.ts';
import { IN_CLEAR } from '../protection.ts';
import type { ServiceAnswer, ServiceRequest } from '../service.ts';
import type { Associated, Association, AssociationOptions } from './association.ts';
import { associate, authenticate, release } from './association.ts';
import { BlockTransfer } from './block-transfer.ts';
import type { Exchange, ExchangeContext, ExchangeStep } from './exchange.ts';
import { exchangeOf, resultsOf } from './services.ts';
import type { ShortNames } from './short-name-exchange.ts';

export interface DlmsClientOptions extends AssociationOptions {
  readonly link: ApduLink;
  /** An association that stands without AARQ (IEC 62056-5-3, 6.2.4), and what is known of it. */
  readonly preEstablished?: Association;
  /** With short names: where the objects are. */
  readonly shortNames?: ShortNames;
  /** From a request to its answer, whatever the link does between them. */
  readonly answerTimeoutMs?: number;
  /** Blocks of a stream that the server may send before it hears from us. */
  readonly blockWindow?: number;
  /** Invoke-Id-And-Priority of the n-th request, counted from 1, where it is not to count on. */
  readonly invokeIdOf?: (request: number) => number;
}

export type DlmsClientMessage =
  | { readonly kind: 'associated'; readonly association: Association }
  | { readonly kind: 'answered'; readonly answer: ServiceAnswer }
  /** The request came to nothing; the association stands, unless it was associating. */
  | { readonly kind: 'failed'; readonly step: ClientStep; readonly failure: Failure }
  /** What the server said of its own accord, in clear. */
  | { readonly kind: 'notified'; readonly apdu: Uint8Array; readonly verified: boolean }
  | { readonly kind: 'released' }
  /** For whoever owns the line. */
  | LineChange;

/** What the client was at when something failed. */
export type ClientStep = 'opening' | 'associating' | 'authenticating' | 'asking' | 'releasing';

type Phase =
  | { readonly kind: 'idle' | 'opening' | 'closing' }
  | { readonly kind: 'associating' }
  | { readonly kind: 'authenticating' }
  | { readonly kind: 'associated' }
  | { readonly kind: 'asking' }
  | { readonly kind: 'releasing' };

const ANSWER_TIMEOUT_MS = 60_000;
const BLOCK_WINDOW = 8;
/** Confirmed, and normal priority. */
const CONFIRMED = 0x40;
const INVOKE_IDS = 16;

/** What a server sends unasked. */
const UNASKED: readonly number[] = [
  APDU_TAG.dataNotification,
  APDU_TAG.eventNotificationRequest,
  APDU_TAG.informationReportRequest,
];

/** The services between AARQ and RLRQ are protected; these two pairs are not. */
const ACSE: readonly number[] = [APDU_TAG.aarq, APDU_TAG.aare, APDU_TAG.rlrq, APDU_TAG.rlre];

type Event = ConnectionEvent<DlmsClientMessage>;

/** What the end of an exchange leads to. */
type Then = (value: unknown, at: number, out: Out) => void;

interface Out {
  readonly send: Uint8Array[];
  readonly events: Event[];
}

/**
 * The client's side of one application association (IEC 62056-5-3, 6): opens the link, associates,
 * authenticates, asks one thing at a time, takes leave. It holds no time and no socket.
 * Stalls: those of the link, `no-answer`.
 */
export class DlmsClient implements Connection<DlmsClientMessage> {
  readonly #options: DlmsClientOptions;
  readonly #link: ApduLink;
  #phase: Phase = { kind: 'idle' };
  #association: Association | undefined;
  #exchange: Exchange<unknown> | undefined;
  #then: Then | undefined;
  #transfer: BlockTransfer | undefined;
  #answerBy = Infinity;
  #requests = 0;

  constructor(options: DlmsClientOptions) {
    this.#options = options;
    this.#link = options.link;
  }

  get deadline(): number {
    return Math.min(this.#link.deadline, this.#answerBy);
  }

  /** What was agreed on, while it stands. */
  get association(): Association | undefined {
    return this.#association;
  }

  start(at: number): Step<DlmsClientMessage> {
    this.#phase = { kind: 'opening' };
    this.#association = undefined;
    this.#drop();
    return this.#stepped(this.#link.start(at), at);
  }

  receive(chunk: Uint8Array, at: number): Step<DlmsClientMessage> {
    return this.#stepped(this.#link.receive(chunk, at), at);
  }

  expire(at: number): Step<DlmsClientMessage> {
    const step = this.#stepped(this.#link.expire(at), at);
    if (at < this.#answerBy) return step;
    const phase = this.#phase.kind;
    this.#drop();
    const failure = { ...NO_ANSWER, message: `${NO_ANSWER.message} while ${phase}` };
    return { send: step.send, events: [...step.events, { kind: 'stalled', failure }] };
  }

  stop(at: number): Step<DlmsClientMessage> {
    this.#phase = { kind: 'idle' };
    this.#drop();
    return this.#stepped(this.#link.stop(at), at);
  }

  /**
   * Asks; `answered` or `failed` follows. After a piece, `next-piece` asks for the next one; any
   * other request gives up the rest. Only while associated, and one at a time.
   */
  ask(request: ServiceRequest, at: number): Step<DlmsClientMessage> {
    const out: Out = { send: [], events: [] };
    if (request.kind === 'next-piece') this.#resume(at, out);
    else if (this.#phase.kind !== 'associated') this.#fail('asking', NOT_ASSOCIATED, out);
    else {
      this.#phase = { kind: 'asking' };
      const exchange = exchangeOf(request, this.#context(), this.#options.shortNames);
      this.#begin(exchange, at, out, () => (this.#phase = { kind: 'associated' }));
    }
    return out;
  }

  /** Takes leave of the server, then of the link: `released` follows. */
  release(at: number): Step<DlmsClientMessage> {
    const out: Out = { send: [], events: [] };
    const standing = this.#association !== undefined && this.#options.preEstablished === undefined;
    this.#drop();
    if (!standing) this.#close(at, out);
    else {
      this.#phase = { kind: 'releasing' };
      this.#begin(release(this.#options), at, out, (_, when, into) => this.#close(when, into));
    }
    return out;
  }

  #close(at: number, out: Out): void {
    this.#association = undefined;
    this.#phase = { kind: 'closing' };
    this.#absorb(this.#link.close(at), at, out);
  }

  get #protection(): Protection {
    return this.#options.protection ?? IN_CLEAR;
  }

  #stepped(step: Step<ApduLinkMessage>, at: number): Step<DlmsClientMessage> {
    const out: Out = { send: [], events: [] };
    this.#absorb(step, at, out);
    return out;
  }

  #absorb({ send, events }: Step<ApduLinkMessage>, at: number, out: Out): void {
    out.send.push(...send);
    for (const event of events) {
      if (event.kind !== 'message') {
        if (event.kind === 'stalled') this.#drop();
        out.events.push(event);
      } else this.#understand(event.message, at, out);
    }
  }

  #understand(message: ApduLinkMessage, at: number, out: Out): void {
    switch (message.kind) {
      case 'opened':
        this.#opened(at, out);
        return;
      case 'closed':
        this.#phase = { kind: 'idle' };
        this.#association = undefined;
        this.#tell({ kind: 'released' }, out);
        return;
      case 'baud':
        this.#tell(message, out);
        return;
      case 'apdu':
        this.#guarded(out, () => this.#arrived(message.bytes, at, out));
    }
  }

  #opened(at: number, out: Out): void {
    const { preEstablished } = this.#options;
    if (preEstablished !== undefined) {
      this.#stands(preEstablished, out);
      return;
    }
    this.#phase = { kind: 'associating' };
    this.#begin(associate(this.#options), at, out, (value, when, into) =>
      this.#accepted(value as Associated, when, into),
    );
  }

  #accepted({ association, challenge }: Associated, at: number, out: Out): void {
    const { high } = this.#options.authenticator;
    if (high === undefined || challenge === undefined) {
      this.#stands(association, out);
      return;
    }
    this.#association = association;
    this.#phase = { kind: 'authenticating' };
    const context = this.#context();
    const names = this.#options.shortNames;
    const exchange = authenticate(high, { association, challenge }, (item) =>
      resultsOf({ kind: 'action', items: [item] }, context, names),
    );
    this.#begin(exchange, at, out, (_value, _at, into) => this.#stands(association, into));
  }

  #stands(association: Association, out: Out): void {
    this.#association = association;
    this.#phase = { kind: 'associated' };
    this.#tell({ kind: 'associated', association }, out);
  }

  #context(): ExchangeContext {
    const { conformance, serverMaxReceivePduSize } = this.#association ?? NOTHING_AGREED;
    const most = serverMaxReceivePduSize === 0 ? Infinity : serverMaxReceivePduSize;
    const blocks = conformance.has('generalBlockTransfer');
    return {
      conformance,
      requestBytesMax: blocks ? Infinity : most - this.#protection.overheadBytes,
      nextInvokeId: () => this.#invokeId(),
    };
  }

  #invokeId(): number {
    this.#requests += 1;
    const { invokeIdOf } = this.#options;
    return invokeIdOf?.(this.#requests) ?? CONFIRMED | (this.#requests % INVOKE_IDS);
  }

  #begin(exchange: Exchange<unknown>, at: number, out: Out, then: Then): void {
    this.#exchange = exchange;
    this.#then = then;
    this.#guarded(out, () => this.#advance(exchange.next(), at, out));
  }

  /** The next piece of a value. */
  #resume(at: number, out: Out): void {
    const exchange = this.#exchange;
    if (exchange === undefined || this.#phase.kind !== 'associated') {
      this.#fail('asking', NOTHING_BEGUN, out);
      return;
    }
    this.#phase = { kind: 'asking' };
    this.#guarded(out, () => this.#advance(exchange.next(new Uint8Array(0)), at, out));
  }

  #arrived(bytes: Uint8Array, at: number, out: Out): void {
    if (bytes[0] === APDU_TAG.generalBlockTransfer) {
      this.#transferred(bytes, at, out);
      return;
    }
    const bare = ACSE.includes(bytes[0] ?? 0) || this.#options.protection === undefined;
    const { apdu, verified } = bare
      ? { apdu: bytes, verified: false }
      : this.#protection.unprotect(bytes);
    if (UNASKED.includes(apdu[0] ?? 0)) this.#tell({ kind: 'notified', apdu, verified }, out);
    else if (apdu[0] === APDU_TAG.generalBlockTransfer) this.#transferred(apdu, at, out);
    else if (this.#exchange !== undefined && this.#phase.kind !== 'associated') {
      this.#advance(this.#exchange.next(apdu), at, out);
    }
    // What nobody asked for is an answer that came too late.
  }

  #transferred(bytes: Uint8Array, at: number, out: Out): void {
    this.#transfer ??= new BlockTransfer(this.#options.blockWindow ?? BLOCK_WINDOW);
    const { send, apdu } = this.#transfer.receive(bytes);
    for (const block of send) this.#absorb(this.#link.send(block, at), at, out);
    if (apdu !== undefined) this.#arrived(apdu, at, out);
    else this.#answerBy = at + (this.#options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS);
  }

  #advance(result: IteratorResult<ExchangeStep, unknown>, at: number, out: Out): void {
    if (result.done === true) {
      const then = this.#then;
      this.#drop();
      then?.(result.value, at, out);
      return;
    }
    const step = result.value;
    switch (step.kind) {
      case 'send':
        this.#send(step.apdu, at, out);
        return;
      case 'wait':
        return;
      case 'answer':
        this.#answered(step.answer, out);
    }
  }

  #answered(answer: ServiceAnswer, out: Out): void {
    this.#answerBy = Infinity;
    const more = answer.kind === 'piece' && !answer.last;
    if (!more) this.#drop();
    this.#phase = { kind: 'associated' };
    this.#tell({ kind: 'answered', answer }, out);
  }

  #send(apdu: Uint8Array, at: number, out: Out): void {
    const bare = ACSE.includes(apdu[0] ?? 0);
    const bytes = bare ? apdu : this.#protection.protect(apdu);
    this.#answerBy = at + (this.#options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS);
    const most = this.#association?.serverMaxReceivePduSize ?? 0;
    const blocked = !bare && most > 0 && bytes.length > most;
    const window = this.#options.blockWindow ?? BLOCK_WINDOW;
    this.#transfer = blocked ? new BlockTransfer(window, bytes, most) : undefined;
    const apdus = this.#transfer?.begin() ?? [bytes];
    for (const one of apdus) this.#absorb(this.#link.send(one, at), at, out);
  }

  /** An operating error ends the request, not the client. */
  #guarded(out: Out, act: () => void): void {
    const step = stepOf(this.#phase);
    try {
      act();
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#drop();
      this.#fail(step, failureOf(error), out);
    }
  }

  #fail(step: ClientStep, failure: Failure, out: Out): void {
    if (this.#phase.kind === 'asking') this.#phase = { kind: 'associated' };
    this.#tell({ kind: 'failed', step, failure }, out);
  }

  #drop(): void {
    this.#exchange = undefined;
    this.#then = undefined;
    this.#transfer = undefined;
    this.#answerBy = Infinity;
  }

  #tell(message: DlmsClientMessage, out: Out): void {
    out.events.push({ kind: 'message', offset: 0, length: 0, message });
  }
}

const NOTHING_AGREED: Pick<Association, 'conformance' | 'serverMaxReceivePduSize'> = {
  conformance: new Set(),
  serverMaxReceivePduSize: 0,
};

const NO_ANSWER: Failure = {
  code: 'no-answer',
  message: 'the meter did not answer',
  hint: 'check address, client and line; a slow meter needs a longer time-out',
};

const NOT_ASSOCIATED: Failure = { code: 'not-associated', message: 'there is no association' };
const NOTHING_BEGUN: Failure = { code: 'not-associated', message: 'no value is being read' };

function stepOf({ kind }: Phase): ClientStep {
  switch (kind) {
    case 'idle':
    case 'opening':
    case 'closing':
      return 'opening';
    case 'associated':
    case 'asking':
      return 'asking';
    default:
      return kind;
  }
}
