import type { ConnectionEvent, Step } from '../connection.ts';
import { QUIET } from '../connection.ts';
import type { ApduLink, ApduLinkMessage } from '../dlms/apdu-link.ts';
import type { FramerEvent } from '../framer.ts';
import type { WrapperPdu } from './wrapper.ts';
import { encodeWrapperPdu, wrapperFramer } from './wrapper.ts';

/** Wrapper port numbers (IEC 62056-47, 4.3.3): client SAP and logical device. */
export interface WrapperAddress {
  readonly client: number;
  readonly server: number;
}

/** Longer than any pause inside a unit. */
const SILENCE_MS = 2000;

type Event = ConnectionEvent<ApduLinkMessage>;

/**
 * APDUs in wrapper units over TCP or UDP (IEC 62056-47). There is nothing to open and no leave;
 * what is meant for another client is discarded as `wrong-address`.
 */
export class WrapperLink implements ApduLink {
  readonly #address: WrapperAddress;
  #framer = wrapperFramer();
  #lastAt = 0;

  constructor(address: WrapperAddress) {
    this.#address = address;
  }

  get deadline(): number {
    return this.#framer.pending > 0 ? this.#lastAt + SILENCE_MS : Infinity;
  }

  start(): Step<ApduLinkMessage> {
    this.#framer = wrapperFramer();
    return { send: [], events: [OPENED] };
  }

  receive(chunk: Uint8Array, at: number): Step<ApduLinkMessage> {
    this.#lastAt = at;
    return this.#step(this.#framer.push(chunk));
  }

  expire(at: number): Step<ApduLinkMessage> {
    return at < this.deadline ? QUIET : this.#step(this.#framer.flush());
  }

  send(apdu: Uint8Array): Step<ApduLinkMessage> {
    const { client: source, server: destination } = this.#address;
    return { send: [encodeWrapperPdu({ source, destination, apdu })], events: [] };
  }

  close(): Step<ApduLinkMessage> {
    return { send: [], events: [CLOSED] };
  }

  stop(): Step<ApduLinkMessage> {
    return QUIET;
  }

  #step(events: readonly FramerEvent<WrapperPdu>[]): Step<ApduLinkMessage> {
    return { send: [], events: events.map((event) => this.#understood(event)) };
  }

  #understood(event: FramerEvent<WrapperPdu>): Event {
    if (event.kind === 'discarded') return event;
    const { offset, length, frame } = event;
    const { client, server } = this.#address;
    if (frame.destination === client && frame.source === server) {
      const message = { kind: 'apdu', bytes: frame.apdu, integral: false } as const;
      return { kind: 'message', offset, length, message };
    }
    const message = `from ${frame.source} to ${frame.destination}, not from ${server} to ${client}`;
    return { kind: 'discarded', offset, length, failure: { code: 'wrong-address', message } };
  }
}

const OPENED: Event = { kind: 'message', offset: 0, length: 0, message: { kind: 'opened' } };
const CLOSED: Event = { kind: 'message', offset: 0, length: 0, message: { kind: 'closed' } };

/** The server's side of the wrapper: the same link, seen from the other end. */
export function wrapperServerLink({ client, server }: WrapperAddress): ApduLink {
  return new WrapperLink({ client: server, server: client });
}
