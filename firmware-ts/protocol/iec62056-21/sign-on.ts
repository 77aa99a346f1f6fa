import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import type { Connection, ConnectionEvent, Step } from '../connection.ts';
import { QUIET } from '../connection.ts';
import type { LineChange } from '../dlms/apdu-link.ts';
import type { BlockCollector } from './block-collector.ts';
import { readoutCollector } from './block-collector.ts';
import type { Readout } from './readout.ts';
import { decodeReadout, identificationOf } from './readout.ts';

export interface SignOnOptions {
  /** The binary mode (mode E, HDLC), or the data read-out (modes A, B and C). */
  readonly target: 'hdlc' | 'readout';
  /** Device address, where several meters hang on one line; any meter answers without it. */
  readonly address?: string;
  /** The rate at which meters listen; 300 unless this one is known to differ. */
  readonly rate?: number;
  /** Above it the first rate is kept: for heads and converters that cannot go faster. */
  readonly rateMax?: number;
  /** Asks for HDLC even though the identification does not offer it. */
  readonly insist?: boolean;
  /** Milliseconds until the first character of an answer; 2500 (the standard gives it 1500). */
  readonly responseMs?: number;
  /** Longest pause between two characters; 1500. */
  readonly characterMs?: number;
  /** How often each thing is asked in all; 3. */
  readonly attempts?: number;
  /** Between a change of the line and the next character; 100. */
  readonly settleMs?: number;
}

export interface Identification extends Pick<
  Readout,
  'manufacturer' | 'baudCharacter' | 'identification'
> {
  /** It offers the binary mode (`\2`; IEC 62056-21, 6.3.2, item 24). */
  readonly hdlc: boolean;
}

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

const ACK = 0x06;
const NAK = 0x15;
/** The eighth bit is parity where the line was not told to take it off. */
const CHARACTER = 0x7f;
/** `/XXXZ`, 16 characters with `\W` before them, CR LF; some meters have more to tell. */
const LINE_CHARACTERS_MAX = 128;
const ADDRESS = /^[0-9A-Za-z ]{0,32}$/;

/** Z of modes C and E, by digit, and of mode B, by letter (IEC 62056-21, 6.3.14, item 13). */
const RATES: Readonly<Record<string, number>> = {
  ...{ 0: 300, 1: 600, 2: 1200, 3: 2400, 4: 4800, 5: 9600, 6: 19_200 },
  ...{ A: 600, B: 1200, C: 2400, D: 4800, E: 9600, F: 19_200 },
};

const DEFAULTS = {
  address: '',
  rate: 300,
  rateMax: Infinity,
  insist: false,
  responseMs: 2500,
  characterMs: 1500,
  attempts: 3,
  settleMs: 100,
};

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
  #line: number[] = [];
  #noise = 0;
  #received = 0;
  #head: Uint8Array = new Uint8Array(0);
  #collector: BlockCollector = readoutCollector();

  /** Errors: `out-of-range` for an address that cannot be sent. */
  constructor(options: SignOnOptions) {
    this.#options = { ...DEFAULTS, ...options };
    if (ADDRESS.test(this.#options.address)) return;
    throw new OperatingError('out-of-range', 'a device address has 32 letters and digits at most');
  }

  get deadline(): number {
    return this.#deadline;
  }

  start(at: number): Step<SignOnMessage> {
    this.#attempt = 0;
    this.#received = 0;
    this.#line = [];
    this.#noise = 0;
    this.#wait('settling', at + this.#options.settleMs);
    return { send: [], events: [this.#change(this.#options.rate, '7E1')] };
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
    this.#line = [];
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
    if (character === SLASH) this.#line = [];
    this.#line.push(character);
    if (this.#line[0] !== SLASH || this.#line.length > LINE_CHARACTERS_MAX) {
      this.#line = [];
      this.#noise += 1;
      return QUIET;
    }
    if (character !== LINE_FEED) return QUIET;
    const line = Uint8Array.from(this.#line);
    this.#line = [];
    // Our own request, from a head that echoes.
    if (line[1] === QUESTION_MARK) return QUIET;
    return this.#identified(line, at);
  }

  #identified(line: Uint8Array, at: number): Step<SignOnMessage> {
    try {
      const head = identificationOf(latin1FromBytes(line).trimEnd());
      const meter = { ...head, hdlc: head.identification.includes('\\2') };
      this.#head = line;
      const { send, events } = this.#chosen(meter, at);
      const identified = this.#message({ kind: 'identified', meter });
      return { send, events: [identified, ...events] };
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#noise += line.length;
      const offset = this.#received - line.length;
      const failure = { ...failureOf(error), offset };
      return { send: [], events: [{ kind: 'discarded', offset, length: line.length, failure }] };
    }
  }

  #chosen(meter: Identification, at: number): Step<SignOnMessage> {
    if (this.#options.target === 'readout') return this.#choseReadout(meter, at);
    if (!meter.hdlc && !this.#options.insist) return this.#stall(notOffered(meter));
    const [character, rate] = this.#rateOf(meter.baudCharacter);
    this.#line = [];
    this.#wait('confirming', at + this.#options.responseMs);
    return {
      send: [option('2', character, '2')],
      events: [this.#change(rate, '8N1')],
    };
  }

  #choseReadout({ baudCharacter }: Identification, at: number): Step<SignOnMessage> {
    this.#collector = readoutCollector();
    this.#attempt = 1;
    this.#wait('reading', at + this.#options.responseMs);
    // Mode B changes by itself and mode A not at all: neither waits to be told.
    if (!/\d/.test(baudCharacter)) {
      const rate = RATES[baudCharacter];
      return rate === undefined ? QUIET : { send: [], events: [this.#change(rate, '7E1')] };
    }
    const [character, rate] = this.#rateOf(baudCharacter);
    return { send: [option('0', character, '0')], events: [this.#change(rate, '7E1')] };
  }

  /** The meter's rate, or else the one that is in use: nothing in between can be agreed. */
  #rateOf(baudCharacter: string): readonly [character: string, rate: number] {
    const rate = /\d/.test(baudCharacter) ? RATES[baudCharacter] : undefined;
    if (rate === undefined || rate > this.#options.rateMax) return ['0', this.#options.rate];
    return [baudCharacter, rate];
  }

  /** The meter repeats the choice at the new rate, still with parity (Annex E.2). */
  #confirming(character: number, at: number): Step<SignOnMessage> {
    this.#line = [...this.#line.slice(1 - CONFIRMATION), character];
    if (this.#line.length < CONFIRMATION || this.#line[0] !== ACK) return QUIET;
    if (character === LINE_FEED) this.#wait('changing', at + this.#options.settleMs);
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
    const offset = this.#received - length;
    const discarded: Event = { kind: 'discarded', offset, length, failure: { ...failure, offset } };
    return { send: [Uint8Array.of(NAK)], events: [discarded] };
  }

  #interrupted(at: number): Step<SignOnMessage> {
    return this.#collector.length === 0 ? this.#stall(NO_DATA) : this.#repeated(CUT, at);
  }

  #unidentified(at: number): Step<SignOnMessage> {
    if (this.#attempt < this.#options.attempts) return this.#ask(at);
    return this.#stall(this.#noise > 0 ? UNREADABLE : NO_ANSWER);
  }

  #stall(failure: Failure): Step<SignOnMessage> {
    this.#wait('idle', Infinity);
    return { send: [], events: [{ kind: 'stalled', failure }] };
  }

  #change(rate: number, format: LineChange['format']): Event {
    return this.#message({ kind: 'baud', rate, format });
  }

  #tell(message: SignOnMessage): Step<SignOnMessage> {
    return { send: [], events: [this.#message(message)] };
  }

  #message(message: SignOnMessage): Event {
    return { kind: 'message', offset: this.#received, length: 0, message };
  }
}

const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;
const LINE_FEED = 0x0a;
/** ACK V Z Y CR LF. */
const CONFIRMATION = 6;

/** Acknowledgement and option select (IEC 62056-21, 6.3.3): protocol, rate, mode. */
function option(protocol: string, rate: string, mode: string): Uint8Array {
  return Uint8Array.of(ACK, ...bytesFromLatin1(`${protocol}${rate}${mode}\r\n`));
}

function notOffered({ manufacturer, identification }: Identification): Failure {
  return {
    code: 'hdlc-not-offered',
    message: `the meter ${manufacturer} ${identification} does not offer the binary mode (HDLC)`,
    hint: 'read it out in mode C, or insist: some meters have it and do not say so',
  };
}

const NO_ANSWER: Failure = {
  code: 'no-answer',
  message: 'no meter identifies itself (IEC 62056-21)',
  hint: 'check that the head sits right, its supply, the device address and the first baud rate',
};
const UNREADABLE: Failure = {
  code: 'bad-identification',
  message: 'something answers, and it is no identification',
  hint: 'baud rate or parity may be wrong: meters listen at 300 Bd, 7E1; or the head is loose',
};
const NO_DATA: Failure = {
  code: 'no-answer',
  message: 'the meter identifies itself and sends no data',
  hint: 'keep it at the first baud rate (rateMax): the head may not manage the higher one',
};
const CUT: Failure = {
  code: 'truncated',
  message: 'the read-out broke off',
  hint: 'check the head; keep the first baud rate',
};
const BAD_BCC: Failure = {
  code: 'bad-bcc',
  message: 'the block check character of the read-out does not fit',
  hint: 'check the head; keep the first baud rate',
};
