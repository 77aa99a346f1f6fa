import type { Step } from '../../connection.ts';
import { QUIET } from '../../connection.ts';
import type { ApduLink, ApduLinkMessage } from '../apdu-link.ts';
import { AnswerPatience } from './answer-patience.ts';
import type { DlmsClientOptions } from './client-options.ts';
import { Envelope } from './envelope.ts';

/** What an APDU of the link brought, and what the link has to do for it. */
export interface Carried {
  readonly step: Step<ApduLinkMessage>;
  /** Absent while blocks of it are missing. */
  readonly opened?: { readonly apdu: Uint8Array; readonly verified: boolean };
}

/** How a request goes out. */
export interface Posting {
  /** The most that the server takes at once; 0 where it sets no limit. */
  readonly apduBytesMax: number;
  readonly associating: boolean;
}

/** So often in a row a server is asked for blocks that did not come. */
const RECOVERIES_MAX = 2;

/**
 * Between the services and the link: APDUs in clear on one side, protected and in blocks on the
 * other. It acknowledges blocks, polls for those that are to come, and knows how long to wait.
 */
export class Carrier {
  readonly #link: ApduLink;
  readonly #envelope: Envelope;
  readonly #patience: AnswerPatience;
  #recoveries = 0;

  constructor({ link, protection, blockWindow, answerTimeoutMs }: DlmsClientOptions) {
    this.#link = link;
    this.#envelope = new Envelope(protection, blockWindow);
    this.#patience = new AnswerPatience(answerTimeoutMs);
  }

  /** When the answer is overdue. */
  get answerBy(): number {
    return this.#patience.deadline;
  }

  heard(at: number): void {
    this.#patience.heard(at);
  }

  /** A request, whose answer is waited for. Errors: those of the protection and of the link. */
  post(apdu: Uint8Array, at: number, { apduBytesMax, associating }: Posting): LinkStep {
    this.#patience.asked(at, associating);
    this.#recoveries = 0;
    const most = apduBytesMax === 0 ? Infinity : apduBytesMax;
    return this.#sent(this.#envelope.seal(apdu, most), at);
  }

  /** Errors: those of `Envelope.open`. */
  open(bytes: Uint8Array, at: number, asked: boolean): Carried {
    const opened = this.#envelope.open(bytes);
    if (opened.kind === 'apdu') return { step: QUIET, opened };
    if (asked) this.#patience.asked(at, false);
    this.#recoveries = 0;
    const step = this.#sent(opened.send, at);
    return { step: asked && opened.send.length === 0 ? this.more(at) : step };
  }

  /** A meter that has answered once is not polled for another APDU by itself. */
  more(at: number): LinkStep {
    return this.#link.poll?.(at) ?? QUIET;
  }

  /**
   * The answer is overdue. Blocks get lost where the link loses APDUs (UDP): they are asked for
   * once more, before it is given up; `undefined` where there is nothing to ask.
   */
  recover(at: number): LinkStep | undefined {
    const blocks = this.#recoveries < RECOVERIES_MAX ? this.#envelope.again() : [];
    if (blocks.length === 0) return undefined;
    this.#recoveries += 1;
    this.#patience.asked(at, false);
    return this.#sent(blocks, at);
  }

  /** The answer is whole as far as it was asked for. */
  rest(): void {
    this.#patience.end();
  }

  /** No more blocks of what was begun are expected. */
  forget(): void {
    this.#envelope.forget();
  }

  #sent(apdus: readonly Uint8Array[], at: number): LinkStep {
    const steps = apdus.map((bytes) => this.#link.send(bytes, at));
    return {
      send: steps.flatMap(({ send }) => send),
      events: steps.flatMap(({ events }) => events),
    };
  }
}

type LinkStep = Step<ApduLinkMessage>;
