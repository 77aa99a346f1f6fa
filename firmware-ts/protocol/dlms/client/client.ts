import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Connection, ConnectionEvent, Step } from '../../connection.ts';
import type { ApduLink, ApduLinkMessage } from '../apdu-link.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import type { ServiceAnswer, ServiceRequest } from '../service.ts';
import type { Associated, Association } from './association.ts';
import { associate, authenticate, release } from './association.ts';
import { NOTHING_BEGUN, NOT_ASSOCIATED, NO_ANSWER } from './client-failures.ts';
import type { ClientStep, DlmsClientMessage, DlmsClientOptions } from './client-options.ts';
import { Envelope } from './envelope.ts';
import type { Exchange, ExchangeContext, ExchangeStep } from './exchange.ts';
import { exchangeOf, resultsOf } from './services.ts';

type Phase = ClientStep | 'idle' | 'associated' | 'closing';

const ANSWER_TIMEOUT_MS = 60_000;
/** A meter that is not there must not hold its line as long as one that looks for much to say. */
const ASSOCIATING_SHARE = 1 / 4;
/** 64 KiB at 300 Bd take 37 minutes; who dribbles for longer never ends. */
const ANSWER_WHOLE_MS = 40 * 60_000;
/** Confirmed, and normal priority. */
const CONFIRMED = 0x40;
const INVOKE_IDS = 16;

/** What a server sends unasked. */
const UNASKED: readonly number[] = [
  APDU_TAG.dataNotification,
  APDU_TAG.eventNotificationRequest,
  APDU_TAG.informationReportRequest,
];

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
  readonly #envelope: Envelope;
  #phase: Phase = 'idle';
  #association: Association | undefined;
  #exchange: Exchange<unknown> | undefined;
  #then: Then | undefined;
  #answerBy = Infinity;
  /** When even an answer that keeps coming has to be whole. */
  #wholeBy = Infinity;
  #requests = 0;

  constructor(options: DlmsClientOptions) {
    this.#options = options;
    this.#link = options.link;
    this.#envelope = new Envelope(options.protection, options.blockWindow);
  }

  get deadline(): number {
    return Math.min(this.#link.deadline, this.#answerBy);
  }

  /** What was agreed on, while it stands. */
  get association(): Association | undefined {
    return this.#association;
  }

  start(at: number): Step<DlmsClientMessage> {
    this.#phase = 'opening';
    this.#association = undefined;
    this.#drop();
    return this.#stepped(this.#link.start(at), at);
  }

  receive(chunk: Uint8Array, at: number): Step<DlmsClientMessage> {
    // Silence is what is not waited for: a long answer takes minutes on a slow line.
    if (this.#answerBy !== Infinity) this.#awaitAnswer(at);
    return this.#stepped(this.#link.receive(chunk, at), at);
  }

  expire(at: number): Step<DlmsClientMessage> {
    const step = this.#stepped(this.#link.expire(at), at);
    if (at < this.#answerBy) return step;
    this.#drop();
    return { send: step.send, events: [...step.events, this.#stalled(NO_ANSWER)] };
  }

  stop(at: number): Step<DlmsClientMessage> {
    this.#phase = 'idle';
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
    else if (this.#phase !== 'associated') this.#fail('asking', NOT_ASSOCIATED, out);
    else {
      this.#phase = 'asking';
      const exchange = exchangeOf(request, this.#context(), this.#options.shortNames);
      this.#begin(exchange, at, out, () => (this.#phase = 'associated'));
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
      this.#phase = 'releasing';
      this.#begin(release(this.#options), at, out, (_, when, into) => this.#close(when, into));
    }
    return out;
  }

  #close(at: number, out: Out): void {
    this.#association = undefined;
    this.#phase = 'closing';
    this.#absorb(this.#link.close(at), at, out);
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
        out.events.push(event.kind === 'stalled' ? this.#stalled(event.failure) : event);
      } else this.#understand(event.message, at, out);
    }
  }

  /** Which step it was at says where to look. */
  #stalled(failure: Failure): Event {
    const message = `${failure.message} while ${this.#phase}`;
    return { kind: 'stalled', failure: { ...failure, message } };
  }

  #understand(message: ApduLinkMessage, at: number, out: Out): void {
    switch (message.kind) {
      case 'opened':
        this.#opened(at, out);
        return;
      case 'closed':
        this.#phase = 'idle';
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
    this.#phase = 'associating';
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
    this.#phase = 'authenticating';
    const context = this.#context();
    const names = this.#options.shortNames;
    const exchange = authenticate(high, { association, challenge }, (item) =>
      resultsOf({ kind: 'action', items: [item] }, context, names),
    );
    this.#begin(exchange, at, out, (_value, _at, into) => this.#stands(association, into));
  }

  #stands(association: Association, out: Out): void {
    this.#association = association;
    this.#phase = 'associated';
    this.#tell({ kind: 'associated', association }, out);
  }

  #context(): ExchangeContext {
    const { conformance, serverMaxReceivePduSize } = this.#association ?? NOTHING_AGREED;
    const most = serverMaxReceivePduSize === 0 ? Infinity : serverMaxReceivePduSize;
    const { protection } = this.#options;
    const blocks = conformance.has('generalBlockTransfer');
    return {
      conformance,
      requestBytesMax: blocks ? Infinity : most - (protection?.overheadBytes ?? 0),
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
    if (exchange === undefined || this.#phase !== 'associated') {
      this.#fail('asking', NOTHING_BEGUN, out);
      return;
    }
    this.#phase = 'asking';
    this.#guarded(out, () => this.#advance(exchange.next(new Uint8Array(0)), at, out));
  }

  /** A request is under way. */
  get #asked(): boolean {
    return this.#exchange !== undefined && this.#phase !== 'associated';
  }

  #arrived(bytes: Uint8Array, at: number, out: Out): void {
    const opened = this.#envelope.open(bytes);
    if (opened.kind === 'block') {
      this.#blockTaken(opened.send, at, out);
      return;
    }
    const { apdu, verified } = opened;
    const exchange = this.#asked ? this.#exchange : undefined;
    // What nobody asked for may be followed by more in blocks.
    if (exchange === undefined) this.#envelope.forget();
    if (UNASKED.includes(apdu[0] ?? 0)) {
      this.#tell({ kind: 'notified', apdu, verified }, out);
      this.#awaitMore(at, out);
    } else if (exchange !== undefined) {
      this.#advance(exchange.next(apdu), at, out);
    }
    // Anything else is an answer that came too late.
  }

  #blockTaken(send: readonly Uint8Array[], at: number, out: Out): void {
    for (const block of send) this.#absorb(this.#link.send(block, at), at, out);
    if (this.#asked) this.#awaitWhole(at);
    if (send.length === 0) this.#awaitMore(at, out);
  }

  /** A meter that has answered once is not polled for another APDU by itself. */
  #awaitMore(at: number, out: Out): void {
    const step = this.#asked ? this.#link.poll?.(at) : undefined;
    if (step !== undefined) this.#absorb(step, at, out);
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
        this.#awaitMore(at, out);
        return;
      case 'answer':
        this.#answered(step.answer, out);
    }
  }

  #answered(answer: ServiceAnswer, out: Out): void {
    this.#answerBy = Infinity;
    const more = answer.kind === 'piece' && !answer.last;
    if (!more) this.#drop();
    this.#phase = 'associated';
    this.#tell({ kind: 'answered', answer }, out);
  }

  #send(apdu: Uint8Array, at: number, out: Out): void {
    this.#awaitWhole(at);
    const most = this.#association?.serverMaxReceivePduSize ?? 0;
    for (const bytes of this.#envelope.seal(apdu, most === 0 ? Infinity : most)) {
      this.#absorb(this.#link.send(bytes, at), at, out);
    }
  }

  #awaitWhole(at: number): void {
    this.#wholeBy = at + ANSWER_WHOLE_MS;
    this.#awaitAnswer(at);
  }

  #awaitAnswer(at: number): void {
    const { answerTimeoutMs: whole = ANSWER_TIMEOUT_MS } = this.#options;
    const silence = this.#phase === 'associating' ? whole * ASSOCIATING_SHARE : whole;
    this.#answerBy = Math.min(at + silence, this.#wholeBy);
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
    if (this.#phase === 'asking') this.#phase = 'associated';
    this.#tell({ kind: 'failed', step, failure }, out);
  }

  #drop(): void {
    this.#exchange = undefined;
    this.#then = undefined;
    this.#envelope.forget();
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

function stepOf(phase: Phase): ClientStep {
  switch (phase) {
    case 'idle':
    case 'opening':
    case 'closing':
      return 'opening';
    case 'associated':
    case 'asking':
      return 'asking';
    default:
      return phase;
  }
}
