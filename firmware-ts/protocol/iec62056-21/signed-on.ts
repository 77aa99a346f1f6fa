import type { Step } from '../connection.ts';
import { QUIET } from '../connection.ts';
import type { ApduLink, ApduLinkMessage } from '../dlms/apdu-link.ts';
import type { Identification } from './identification.ts';
import type { SignOnOptions } from './sign-on-options.ts';
import type { SignOnMessage } from './sign-on.ts';
import { SignOn } from './sign-on.ts';

export type SignedOnOptions = Omit<SignOnOptions, 'target'>;

/** An APDU link that signs on in mode E first; each start begins again at the first baud rate. */
export interface SignedOnLink extends ApduLink {
  /** What the meter said of itself, once it has. */
  readonly meter: Identification | undefined;
}

export function signedOn(link: ApduLink, options: SignedOnOptions = {}): SignedOnLink {
  return new Signing(link, new SignOn({ ...options, target: 'hdlc' }));
}

class Signing implements SignedOnLink {
  readonly #link: ApduLink;
  readonly #signOn: SignOn;
  #signing = true;
  meter: Identification | undefined;
  /** Bytes that the sign-on took; the link counts its own from there. */
  #taken = 0;

  constructor(link: ApduLink, signOn: SignOn) {
    this.#link = link;
    this.#signOn = signOn;
  }

  get deadline(): number {
    return this.#signing ? this.#signOn.deadline : this.#link.deadline;
  }

  start(at: number): Step<ApduLinkMessage> {
    this.#signing = true;
    this.#taken = 0;
    this.meter = undefined;
    return this.#signed(this.#signOn.start(at), at);
  }

  receive(chunk: Uint8Array, at: number): Step<ApduLinkMessage> {
    if (!this.#signing) return this.#moved(this.#link.receive(chunk, at));
    this.#taken += chunk.length;
    return this.#signed(this.#signOn.receive(chunk, at), at);
  }

  expire(at: number): Step<ApduLinkMessage> {
    if (!this.#signing) return this.#moved(this.#link.expire(at));
    return this.#signed(this.#signOn.expire(at), at);
  }

  send(apdu: Uint8Array, at: number): Step<ApduLinkMessage> {
    return this.#moved(this.#link.send(apdu, at));
  }

  poll(at: number): Step<ApduLinkMessage> {
    return this.#moved(this.#link.poll?.(at) ?? QUIET);
  }

  close(at: number): Step<ApduLinkMessage> {
    if (!this.#signing) return this.#moved(this.#link.close(at));
    this.#signOn.stop();
    const place = { offset: this.#taken, length: 0 };
    return { send: [], events: [{ kind: 'message', ...place, message: { kind: 'closed' } }] };
  }

  stop(at: number): Step<ApduLinkMessage> {
    if (!this.#signing) return this.#link.stop(at);
    this.#signOn.stop();
    return QUIET;
  }

  #signed({ send, events }: Step<SignOnMessage>, at: number): Step<ApduLinkMessage> {
    const step = { send: [...send], events: [] as Step<ApduLinkMessage>['events'][number][] };
    for (const event of events) {
      if (event.kind !== 'message') step.events.push(event);
      else if (event.message.kind === 'baud') {
        step.events.push({ ...event, message: event.message });
      } else if (event.message.kind === 'identified') this.meter = event.message.meter;
      else if (event.message.kind === 'signed-on') {
        this.#signing = false;
        const begun = this.#link.start(at);
        step.send.push(...begun.send);
        step.events.push(...this.#moved(begun).events);
      }
    }
    return step;
  }

  /** Offsets count from the first byte of all. */
  #moved({ send, events }: Step<ApduLinkMessage>): Step<ApduLinkMessage> {
    if (events.length === 0) return { send, events };
    return {
      send,
      events: events.map((event) => {
        if (event.kind === 'stalled') return event;
        const offset = event.offset + this.#taken;
        if (event.kind === 'message') return { ...event, offset };
        const within = event.failure.offset;
        const failure =
          within === undefined ? event.failure : { ...event.failure, offset: within + this.#taken };
        return { ...event, offset, failure };
      }),
    };
  }
}
