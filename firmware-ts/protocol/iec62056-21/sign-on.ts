import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { bytesFromLatin1 } from '#bytes/text.ts';
import type { Connection, ConnectionEvent, Step } from '../connection.ts';
import { QUIET } from '../connection.ts';
import type { LineChange } from '../dlms/apdu-link.ts';
import { readoutCollector } from './block-collector.ts';
import type { Identification } from './identification.ts';
import { IdentificationLine, decodeIdentification } from './identification.ts';
import type { ModeChoice } from './mode-choice.ts';
import { Confirmation, binaryMode, readoutMode } from './mode-choice.ts';
import type { Readout } from './readout.ts';
import { decodeReadout } from './readout.ts';
import { BAD_BCC, CUT, NO_ANSWER, NO_DATA, UNREADABLE, notOffered } from './sign-on-failures.ts';
import type { SignOnOptions } from './sign-on-options.ts';
import { settingsOf } from './sign-on-options.ts';

export type SignOnMessage =
  | LineChange
  | { readonly kind: 'identified'; readonly meter: Identification }
  /** The meter speaks HDLC from now on. */
  | { readonly kind: 'signed-on' }
  | { readonly kind: 'readout'; readonly readout: Readout };

type State =
  | 'idle'
  /** The line has changed: its first character waits. */
  | 'settling'
  | 'asking'
  /** The binary mode was chosen, and may be confirmed. */
  | 'confirming'
  /** It was confirmed; the meter changes its format. */
  | 'changing'
  | 'reading';

type Event = ConnectionEvent<SignOnMessage>;

const NAK = 0x15;
/** The eighth bit is parity where the line was not told to take it off. */
const CHARACTER = 0x7f;

/**
 * Sign-on over an optical head or a current loop (IEC 62056-21, 6 and Annex E): the request, the
 * meter's identification, the choice of mode, and the changes of the line that belong to them. It
 * ends with `signed-on` or a read-out, or stalls.
 */
export class SignOn implements Connection<SignOnMessage> {
  readonly #options: Required<SignOnOptions>;
  #state: State = 'idle';
  #deadline = Infinity;
  #attempt = 0;
  #received = 0;
  #line = new IdentificationLine();
  /** The line of the meter that is read out. */
  #head: Uint8Array = new Uint8Array(0);
  #confirmation = new Confirmation();
  #collector = readoutCollector();

  /** Errors: `out-of-range` for an address that cannot be sent. */
  constructor(options: SignOnOptions) {
    this.#options = settingsOf(options);
  }

  get deadline(): number {
    return this.#deadline;
  }

  start(at: number): Step<SignOnMessage> {
    this.#attempt = 0;
    this.#received = 0;
    this.#line = new IdentificationLine();
    this.#wait('settling', at + this.#options.settleMs);
    return { send: [], events: [this.#change({ rate: this.#options.rate, format: '7E1' })] };
  }

  receive(chunk: Uint8Array, at: number): Step<SignOnMessage> {
    const send: Uint8Array[] = [];
    const events: Event[] = [];
    for (const byte of chunk) {
      this.#received += 1;
      const step = this.#character(byte & CHARACTER, at);
      send.push(...step.send);
      events.push(...step.events);
    }
    return { send, events };
  }

  expire(at: number): Step<SignOnMessage> {
    if (at < this.#deadline) return QUIET;
    switch (this.#state) {
      case 'settling':
        return this.#ask(at);
      case 'asking':
        return this.#unidentified(at);
      // Not every meter confirms, and what it sends while the line changes may be lost.
      case 'confirming':
      case 'changing':
        this.#wait('idle', Infinity);
        return this.#tell({ kind: 'signed-on' });
      case 'reading':
        return this.#interrupted(at);
      case 'idle':
        return QUIET;
    }
  }

  stop(): Step<never> {
    this.#wait('idle', Infinity);
    return QUIET;
  }

  #wait(state: State, until: number): void {
    this.#state = state;
    this.#deadline = until;
  }

  #ask(at: number): Step<SignOnMessage> {
    this.#line.clear();
    this.#attempt += 1;
    this.#wait('asking', at + this.#options.responseMs);
    return { send: [bytesFromLatin1(`/?${this.#options.address}!\r\n`)], events: [] };
  }

  #character(character: number, at: number): Step<SignOnMessage> {
    switch (this.#state) {
      case 'asking':
        return this.#identifying(character, at);
      case 'confirming':
        return this.#confirming(character, at);
      case 'reading':
        return this.#reading(character, at);
      case 'settling':
      case 'changing':
      case 'idle':
        return QUIET;
    }
  }

  #identifying(character: number, at: number): Step<SignOnMessage> {
    this.#deadline = at + this.#options.characterMs;
    const line = this.#line.push(character);
    return line === undefined ? QUIET : this.#identified(line, at);
  }

  #identified(line: Uint8Array, at: number): Step<SignOnMessage> {
    try {
      const meter = decodeIdentification(line);
      this.#head = line;
      const { send, events } = this.#chosen(meter, at);
      const identified = this.#message({ kind: 'identified', meter });
      return { send, events: [identified, ...events] };
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#line.reject();
      return { send: [], events: [this.#discarded(failureOf(error), line.length)] };
    }
  }

  #chosen(meter: Identification, at: number): Step<SignOnMessage> {
    const { target, insist, responseMs } = this.#options;
    if (target === 'readout') {
      this.#collector = readoutCollector();
      this.#attempt = 1;
      this.#wait('reading', at + responseMs);
      return this.#choice(readoutMode(meter, this.#options));
    }
    if (!meter.hdlc && !insist) return this.#stall(notOffered(meter));
    this.#confirmation = new Confirmation();
    this.#wait('confirming', at + responseMs);
    return this.#choice(binaryMode(meter, this.#options));
  }

  #choice({ select, line }: ModeChoice): Step<SignOnMessage> {
    return {
      send: select === undefined ? [] : [select],
      events: line === undefined ? [] : [this.#change(line)],
    };
  }

  #confirming(character: number, at: number): Step<SignOnMessage> {
    const whole = this.#confirmation.push(character);
    if (whole) this.#wait('changing', at + this.#options.settleMs);
    return QUIET;
  }

  #reading(character: number, at: number): Step<SignOnMessage> {
    this.#deadline = at + this.#options.characterMs;
    try {
      const block = this.#collector.push(character);
      if (block === undefined) return QUIET;
      const readout = decodeReadout(Uint8Array.from([...this.#head, ...block]));
      if (readout.check === 'bad') return this.#repeated(BAD_BCC, at);
      this.#wait('idle', Infinity);
      return this.#tell({ kind: 'readout', readout });
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return this.#stall(failureOf(error));
    }
  }

  /** A block that did not come whole is asked for again (repeat-request, 6.3.4). */
  #repeated(failure: Failure, at: number): Step<SignOnMessage> {
    const { length } = this.#collector;
    this.#collector = readoutCollector();
    if (this.#attempt >= this.#options.attempts) return this.#stall(failure);
    this.#attempt += 1;
    this.#wait('reading', at + this.#options.responseMs);
    return { send: [Uint8Array.of(NAK)], events: [this.#discarded(failure, length)] };
  }

  #interrupted(at: number): Step<SignOnMessage> {
    return this.#collector.length === 0 ? this.#stall(NO_DATA) : this.#repeated(CUT, at);
  }

  #unidentified(at: number): Step<SignOnMessage> {
    if (this.#attempt < this.#options.attempts) return this.#ask(at);
    return this.#stall(this.#line.noisy ? UNREADABLE : NO_ANSWER);
  }

  #stall(failure: Failure): Step<SignOnMessage> {
    this.#wait('idle', Infinity);
    return { send: [], events: [{ kind: 'stalled', failure }] };
  }

  /** What came last, `length` characters of it, is no good. */
  #discarded(failure: Failure, length: number): Event {
    const offset = this.#received - length;
    return { kind: 'discarded', offset, length, failure: { ...failure, offset } };
  }

  #change(line: Pick<LineChange, 'rate' | 'format'>): Event {
    return this.#message({ kind: 'baud', ...line });
  }

  #tell(message: SignOnMessage): Step<SignOnMessage> {
    return { send: [], events: [this.#message(message)] };
  }

  #message(message: SignOnMessage): Event {
    return { kind: 'message', offset: this.#received, length: 0, message };
  }
}
