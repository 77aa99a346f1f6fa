import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Connection, ConnectionEvent, Step } from '../../connection.ts';
import type { ApduLink, ApduLinkMessage } from '../apdu-link.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import type { ServiceAnswer, ServiceRequest } from '../service.ts';
import type { Association } from './agreement.ts';
import { AskingContext } from './asking-context.ts';
import { associate, release } from './association.ts';
import { Carrier } from './carrier.ts';
import { NOTHING_BEGUN, NOT_ASSOCIATED, NO_ANSWER } from './client-failures.ts';
import type { ClientStep, DlmsClientMessage, DlmsClientOptions } from './client-options.ts';
import type { Phase } from './client-phase.ts';
import { stepOf } from './client-phase.ts';
import type { Exchange, ExchangeContext, ExchangeStep } from './exchange.ts';
import { exchangeOf, resultsOf } from './services.ts';

/** What a server sends unasked. */
const UNASKED: readonly number[] = [
  APDU_TAG.dataNotification,
  APDU_TAG.eventNotificationRequest,
  APDU_TAG.informationReportRequest,
];

/** Resumes an exchange that asked for no APDU. */
const NO_APDU = new Uint8Array(0);

type Event = ConnectionEvent<DlmsClientMessage>;

interface Out {
  readonly send: Uint8Array[];
  readonly events: Event[];
}

/**
 * The client's side of one application association (IEC 62056-5-3, 6): opens the link, associates,
 * authenticates, asks one thing at a time, takes leave. It holds no time and no socket.
 * Stalls: those of the link, `no-answer`.
 *
 * What is said is an `Exchange` (association and services), how it gets there the `Carrier`'s
 * (protection, general blocks, waiting) and the link's. Here they meet: which phase it is, whose an
 * APDU is, and what a failure ends.
 */
export class DlmsClient implements Connection<DlmsClientMessage> {
  readonly #options: DlmsClientOptions;
  readonly #link: ApduLink;
  readonly #carrier: Carrier;
  readonly #asking: AskingContext;
  #phase: Phase = 'idle';
  #association: Association | undefined;
  #exchange: Exchange | undefined;

  constructor(options: DlmsClientOptions) {
    this.#options = options;
    this.#link = options.link;
    this.#carrier = new Carrier(options);
    this.#asking = new AskingContext(options);
  }

  get deadline(): number {
    return Math.min(this.#link.deadline, this.#carrier.answerBy);
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
    this.#carrier.heard(at);
    return this.#stepped(this.#link.receive(chunk, at), at);
  }

  expire(at: number): Step<DlmsClientMessage> {
    const out: Out = { send: [], events: [] };
    this.#absorb(this.#link.expire(at), at, out);
    if (at < this.#carrier.answerBy) return out;
    const recovery = this.#carrier.recover(at);
    if (recovery === undefined) {
      this.#drop();
      out.events.push(this.#stalled(NO_ANSWER));
    } else this.#absorb(recovery, at, out);
    return out;
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
    const next = request.kind === 'next-piece';
    if (this.#phase !== 'associated' || (next && this.#exchange === undefined)) {
      this.#fail('asking', next ? NOTHING_BEGUN : NOT_ASSOCIATED, out);
      return out;
    }
    this.#phase = 'asking';
    if (next) this.#resume(NO_APDU, at, out);
    else this.#begin(exchangeOf(request, this.#context(), this.#options.shortNames), at, out);
    return out;
  }

  /** Takes leave of the server, then of the link: `released` follows. */
  release(at: number): Step<DlmsClientMessage> {
    const out: Out = { send: [], events: [] };
    const standing = this.#association !== undefined && this.#options.preEstablished === undefined;
    this.#drop();
    if (standing) {
      this.#phase = 'releasing';
      this.#begin(release(this.#options), at, out);
    } else this.#close(at, out);
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
    const { preEstablished, shortNames } = this.#options;
    if (preEstablished !== undefined) {
      this.#stands(preEstablished, out);
      return;
    }
    this.#phase = 'associating';
    const exchange = associate(this.#options, (item) =>
      resultsOf({ kind: 'action', items: [item] }, this.#context(), shortNames),
    );
    this.#begin(exchange, at, out);
  }

  #stands(association: Association, out: Out): void {
    this.#association = association;
    this.#phase = 'associated';
    this.#tell({ kind: 'associated', association }, out);
  }

  #context(): ExchangeContext {
    return this.#asking.under(this.#association);
  }

  #begin(exchange: Exchange, at: number, out: Out): void {
    this.#exchange = exchange;
    this.#resume(NO_APDU, at, out);
  }

  /** Goes on with the exchange, up to its next step. */
  #resume(apdu: Uint8Array, at: number, out: Out): void {
    this.#guarded(out, () => {
      const result = this.#exchange?.next(apdu);
      if (result === undefined) return;
      if (result.done === true) this.#ended(at, out);
      else this.#do(result.value, at, out);
    });
  }

  #do(step: ExchangeStep, at: number, out: Out): void {
    switch (step.kind) {
      case 'send':
        this.#post(step.apdu, at, out);
        return;
      case 'wait':
        this.#awaitMore(at, out);
        return;
      case 'agreed':
        this.#association = step.association;
        this.#phase = 'authenticating';
        this.#resume(NO_APDU, at, out);
        return;
      case 'answer':
        this.#answered(step.answer, out);
    }
  }

  /** The exchange has come to its end; what it was for decides what follows. */
  #ended(at: number, out: Out): void {
    this.#drop();
    if (this.#phase === 'releasing') this.#close(at, out);
    else if (this.#phase === 'asking') this.#phase = 'associated';
    else if (this.#association !== undefined) this.#stands(this.#association, out);
  }

  /** A request is under way. */
  get #asked(): boolean {
    return this.#exchange !== undefined && this.#phase !== 'associated';
  }

  #arrived(bytes: Uint8Array, at: number, out: Out): void {
    const { step, opened } = this.#carrier.open(bytes, at, this.#asked);
    this.#absorb(step, at, out);
    if (opened === undefined) return;
    const asked = this.#asked;
    // What nobody asked for may be followed by more in blocks.
    if (!asked) this.#carrier.forget();
    if (UNASKED.includes(opened.apdu[0] ?? 0)) {
      const { apdu, verified } = opened;
      this.#tell({ kind: 'notified', apdu, verified }, out);
      this.#awaitMore(at, out);
    } else if (asked) this.#resume(opened.apdu, at, out);
    // Anything else is an answer that came too late.
  }

  #awaitMore(at: number, out: Out): void {
    if (this.#asked) this.#absorb(this.#carrier.more(at), at, out);
  }

  #answered(answer: ServiceAnswer, out: Out): void {
    this.#carrier.rest();
    if (answer.kind !== 'piece' || answer.last) this.#drop();
    this.#phase = 'associated';
    this.#tell({ kind: 'answered', answer }, out);
  }

  #post(apdu: Uint8Array, at: number, out: Out): void {
    const apduBytesMax = this.#association?.serverMaxReceivePduSize ?? 0;
    const associating = this.#phase === 'associating';
    this.#absorb(this.#carrier.post(apdu, at, { apduBytesMax, associating }), at, out);
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
    this.#carrier.rest();
    this.#carrier.forget();
  }

  #tell(message: DlmsClientMessage, out: Out): void {
    out.events.push({ kind: 'message', offset: 0, length: 0, message });
  }
}
