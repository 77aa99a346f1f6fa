import type { Failure } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import type { Connection, ConnectionEvent, Step } from '../connection.ts';
import { QUIET } from '../connection.ts';
import { simpleCommand } from './command.ts';
import { framePeriodSeconds } from './configuration.ts';
import type { DataFrame, DataLayout } from './data.ts';
import { dataLayoutOf } from './data.ts';
import type { Frame } from './frame.ts';
import type { Framed } from './framer.ts';
import { C37118Framer } from './framer.ts';
import type { C37118Message } from './message.ts';
import { decodeMessage } from './message.ts';
import { STAT } from './words.ts';

export interface C37118ClientOptions {
  /** IDCODE of the data stream; frames with another are discarded. */
  readonly idCode: number;
  /** Sends nothing: for streams that come unasked, with CFG-2 now and then. */
  readonly passive?: boolean;
  readonly replyTimeoutMs?: number;
  readonly dataTimeoutMs?: number;
}

/** Old devices on serial back ends take seconds to answer. */
const REPLY_TIMEOUT_MS = 5_000;
/** Silence after which a stream is given up; never less than three of its frames' periods. */
const DATA_TIMEOUT_MS = 5_000;
/** Spontaneous streams send CFG-2 once a minute (6.4): two may be lost. */
const PASSIVE_TIMEOUT_MS = 180_000;
const ATTEMPTS_MAX = 3;

interface Asked {
  readonly attempt: number;
  readonly until: number;
}

type State =
  | { readonly kind: 'idle' }
  /** CFG-2 has been asked for and nothing is known yet. */
  | { readonly kind: 'configuring'; readonly asked: Asked }
  /** "Turn on" has been sent; no DATA has come. */
  | { readonly kind: 'starting'; readonly layout: DataLayout; readonly asked: Asked }
  /** DATA comes; CFG-2 may be asked for anew beside it. */
  | {
      readonly kind: 'streaming';
      readonly layout: DataLayout;
      readonly until: number;
      readonly asked?: Asked;
    };

type Event = ConnectionEvent<C37118Message>;

interface Out {
  readonly send: Uint8Array[];
  readonly events: Event[];
}

/**
 * A PDC's side of C37.118.2-2011 over a stream: asks for CFG-2, turns DATA on, reads it. The next
 * command goes out only after the reply to the one before or its time-out, because fragile devices
 * lose the second of two.
 * Stalls: `no-configuration`, `silent`. Discards: the framer's and decoders' codes,
 * `wrong-idcode`.
 */
export class C37118Client implements Connection<C37118Message> {
  readonly #options: C37118ClientOptions;
  #framer = new C37118Framer();
  #state: State = { kind: 'idle' };
  #changing = false;

  constructor(options: C37118ClientOptions) {
    this.#options = options;
  }

  get deadline(): number {
    const state = this.#state;
    switch (state.kind) {
      case 'idle':
        return Infinity;
      case 'configuring':
      case 'starting':
        return state.asked.until;
      case 'streaming':
        return Math.min(state.until, state.asked?.until ?? Infinity);
    }
  }

  start(at: number): Step<C37118Message> {
    this.#framer = new C37118Framer();
    this.#changing = false;
    if (this.#options.passive === true) {
      const asked = { attempt: ATTEMPTS_MAX, until: at + PASSIVE_TIMEOUT_MS };
      this.#state = { kind: 'configuring', asked };
      return QUIET;
    }
    this.#state = { kind: 'configuring', asked: this.#asked(1, at) };
    return { send: [this.#askConfiguration()], events: [] };
  }

  receive(chunk: Uint8Array, at: number): Step<C37118Message> {
    return this.#handle(this.#framer.push(chunk), at);
  }

  /** Asks again, or gives up; a frame that began and was never finished is stepped over first. */
  expire(at: number): Step<C37118Message> {
    if (at < this.deadline) return QUIET;
    const out = this.#handle(this.#framer.giveUp(), at);
    if (at >= this.deadline) this.#expired(at, out);
    return out;
  }

  stop(): Step<C37118Message> {
    const running = this.#state.kind === 'starting' || this.#state.kind === 'streaming';
    this.#state = { kind: 'idle' };
    if (!running || this.#options.passive === true) return QUIET;
    return { send: [simpleCommand(this.#options.idCode, 'turn-off')], events: [] };
  }

  #expired(at: number, out: Out): void {
    const state = this.#state;
    switch (state.kind) {
      case 'idle':
        return;
      case 'configuring':
        if (state.asked.attempt >= ATTEMPTS_MAX) {
          this.#stall(out, NO_CONFIGURATION);
          return;
        }
        this.#state = { ...state, asked: this.#asked(state.asked.attempt + 1, at) };
        out.send.push(this.#askConfiguration());
        return;
      case 'starting':
        if (state.asked.attempt >= ATTEMPTS_MAX) {
          this.#stall(out, NO_DATA);
          return;
        }
        this.#turnOn(state.layout, state.asked.attempt + 1, at, out);
        return;
      case 'streaming':
        if (at >= state.until) {
          this.#stall(out, NO_DATA);
          return;
        }
        {
          this.#askAgain(state, (state.asked?.attempt ?? 0) + 1, at, out);
          return;
        }
    }
  }

  #stall(out: Out, failure: Failure): void {
    this.#state = { kind: 'idle' };
    out.events.push({ kind: 'stalled', failure });
  }

  #handle(framed: readonly Framed[], at: number): Out {
    const out: Out = { send: [], events: [] };
    for (const piece of framed) {
      if (piece.kind === 'discarded') out.events.push(piece);
      else this.#frame(piece.offset, piece.frame, at, out);
    }
    return out;
  }

  #frame(offset: number, frame: Frame, at: number, out: Out): void {
    const length = frame.bytes.length;
    if (frame.idCode !== this.#options.idCode) {
      const failure = wrongIdCode(frame.idCode, this.#options.idCode, offset);
      out.events.push({ kind: 'discarded', offset, length, failure });
      return;
    }
    try {
      const message = decodeMessage(frame, this.#layout());
      if (message.kind === 'configuration') {
        this.#configured(dataLayoutOf(message.configuration), at, out);
      }
      if (message.kind === 'data') this.#data(message.data, message.layout, at, out);
      out.events.push({ kind: 'message', offset, length, message });
    } catch (error) {
      const failure = failureOf(error);
      out.events.push({ kind: 'discarded', offset, length, failure });
      if (failure.code === 'data-does-not-fit') this.#unfit(at, out);
    }
  }

  #layout(): DataLayout | undefined {
    return 'layout' in this.#state ? this.#state.layout : undefined;
  }

  #configured(layout: DataLayout, at: number, out: Out): void {
    const state = this.#state;
    if (state.kind === 'idle') return;
    if (state.kind === 'streaming') {
      this.#state = { kind: 'streaming', layout, until: this.#silentAt(layout, at) };
    } else if (state.kind === 'starting') this.#state = { ...state, layout };
    else this.#turnOn(layout, 1, at, out);
  }

  #turnOn(layout: DataLayout, attempt: number, at: number, out: Out): void {
    const until = this.#silentAt(layout, at);
    this.#state = { kind: 'starting', layout, asked: { attempt, until } };
    if (this.#options.passive === true) return;
    out.send.push(simpleCommand(this.#options.idCode, 'turn-on'));
  }

  /** STAT bit 10 is set for the minute before a change and falls with it: both edges ask. */
  #data(data: DataFrame, layout: DataLayout, at: number, out: Out): void {
    if (this.#state.kind === 'idle') return;
    const asked = this.#state.kind === 'streaming' ? this.#state.asked : undefined;
    const until = this.#silentAt(layout, at);
    this.#state = { kind: 'streaming', layout, until, ...(asked === undefined ? {} : { asked }) };
    const changing = data.stat.some((stat) => (stat & CONFIGURATION_CHANGE) !== 0);
    if (changing === this.#changing) return;
    this.#changing = changing;
    this.#unfit(at, out);
  }

  /** DATA and configuration differ: ask for CFG-2, unless that has been done. */
  #unfit(at: number, out: Out): void {
    const state = this.#state;
    if (this.#options.passive === true) return;
    if (state.kind === 'starting') {
      this.#state = { kind: 'configuring', asked: this.#asked(1, at) };
      out.send.push(this.#askConfiguration());
    } else if (state.kind === 'streaming' && state.asked === undefined) {
      this.#askAgain(state, 1, at, out);
    }
  }

  #askAgain(
    state: Extract<State, { kind: 'streaming' }>,
    attempt: number,
    at: number,
    out: Out,
  ): void {
    if (attempt > ATTEMPTS_MAX) {
      this.#stall(out, NO_CONFIGURATION);
      return;
    }
    this.#state = { ...state, asked: this.#asked(attempt, at) };
    out.send.push(this.#askConfiguration());
  }

  #askConfiguration(): Uint8Array {
    return simpleCommand(this.#options.idCode, 'send-configuration-2');
  }

  #asked(attempt: number, at: number): Asked {
    return { attempt, until: at + (this.#options.replyTimeoutMs ?? REPLY_TIMEOUT_MS) };
  }

  #silentAt({ configuration }: DataLayout, at: number): number {
    const periodMs = framePeriodSeconds(configuration.dataRate) * 1000;
    return at + Math.max(this.#options.dataTimeoutMs ?? DATA_TIMEOUT_MS, 3 * periodMs);
  }
}

const CONFIGURATION_CHANGE = 1 << STAT.configurationChange[0];

const NO_CONFIGURATION: Failure = {
  code: 'no-configuration',
  message: 'the PMU did not answer with CFG-2',
  hint: 'check the IDCODE, and that no other client holds the connection',
};

const NO_DATA: Failure = {
  code: 'silent',
  message: 'the PMU sends no DATA',
  hint: 'check that the PMU accepts "turn on transmission" from this address',
};

function wrongIdCode(found: number, wanted: number, offset: number): Failure {
  return {
    code: 'wrong-idcode',
    message: `frame of IDCODE ${found}, configured is ${wanted}`,
    offset: offset + 4,
    field: 'IDCODE',
    hint: `set the IDCODE to ${found} if this is the right device`,
  };
}
