import type { Failure } from '#bytes/failure.ts';
import type { TracedOctets } from '#bytes/trace.ts';
import type { Connection, ConnectionEvent, Step } from './connection.ts';

/** All that one side of a recorded conversation said until the other spoke. */
export interface Turn {
  readonly dir: 'tx' | 'rx';
  readonly bytes: Uint8Array;
  /** Octets of a secret were made zero, so that only the length can be compared. */
  readonly masked: boolean;
}

/** What happened to one turn, by its number from 0. */
export type LockStepMessage =
  | { readonly kind: 'said'; readonly turn: number; readonly length: number }
  | {
      readonly kind: 'heard';
      readonly turn: number;
      readonly length: number;
      /** The first octet that is not as recorded; absent where all are. */
      readonly differsAt?: number;
    }
  | { readonly kind: 'over' };

type Event = ConnectionEvent<LockStepMessage>;

/** Longer than any pause inside what one side says, as a modem or an operator's hand makes them. */
const SILENCE_MS = 1000;
/** How long the other side may think. */
const PATIENCE_MS = 120_000;

export function turnsOf(pieces: readonly TracedOctets[]): readonly Turn[] {
  const turns: { dir: 'tx' | 'rx'; parts: TracedOctets[] }[] = [];
  for (const piece of pieces) {
    const last = turns.at(-1);
    if (last?.dir === piece.dir) last.parts.push(piece);
    else turns.push({ dir: piece.dir, parts: [piece] });
  }
  return turns.map(({ dir, parts }) => ({
    dir,
    bytes: Uint8Array.from(parts.flatMap(({ bytes }) => [...bytes])),
    masked: parts.some(({ masked }) => masked),
  }));
}

/**
 * One side of a recorded conversation, said again in lock-step: each turn once the other side has
 * said its own. What the other says otherwise than recorded is told, and the conversation goes on;
 * counters, times and challenges differ by their nature. Stalls: `no-answer`.
 */
export class LockStep implements Connection<LockStepMessage> {
  readonly #turns: readonly Turn[];
  readonly #own: Turn['dir'];
  #turn = 0;
  #heard: number[] = [];
  #lastAt = 0;

  /** In a trace `tx` is what the client said, `rx` what the device said. */
  constructor(turns: readonly Turn[], role: 'client' | 'server') {
    this.#turns = turns;
    this.#own = role === 'client' ? 'tx' : 'rx';
  }

  get deadline(): number {
    if (this.#turn >= this.#turns.length) return Infinity;
    return this.#lastAt + (this.#heard.length > 0 ? SILENCE_MS : PATIENCE_MS);
  }

  start(at: number): Step<LockStepMessage> {
    this.#turn = 0;
    this.#heard = [];
    this.#lastAt = at;
    return this.#spoken([]);
  }

  receive(chunk: Uint8Array, at: number): Step<LockStepMessage> {
    this.#lastAt = at;
    const expected = this.#turns[this.#turn]?.bytes.length ?? 0;
    // One more than expected tells that it is too long; the rest has nothing to say.
    for (const byte of chunk) if (this.#heard.length <= expected) this.#heard.push(byte);
    return this.#heard.length < expected ? { send: [], events: [] } : this.#judged();
  }

  expire(at: number): Step<LockStepMessage> {
    if (at < this.deadline) return { send: [], events: [] };
    if (this.#heard.length > 0) return this.#judged();
    return { send: [], events: [{ kind: 'stalled', failure: SILENT }] };
  }

  stop(): Step<LockStepMessage> {
    return { send: [], events: [] };
  }

  #judged(): Step<LockStepMessage> {
    const turn = this.#turns[this.#turn];
    if (turn === undefined) return { send: [], events: [] };
    const differsAt = differenceIn(turn, this.#heard);
    const length = this.#heard.length;
    this.#heard = [];
    this.#turn += 1;
    return this.#spoken([
      told({
        kind: 'heard',
        turn: this.#turn - 1,
        length,
        ...(differsAt === undefined ? {} : { differsAt }),
      }),
    ]);
  }

  /** Says what is ours to say next. */
  #spoken(events: readonly Event[]): Step<LockStepMessage> {
    const turn = this.#turns[this.#turn];
    const own = turn?.dir === this.#own ? turn : undefined;
    const said = own === undefined ? [] : [saying(this.#turn, own)];
    if (own !== undefined) this.#turn += 1;
    const over = this.#turn >= this.#turns.length ? [told({ kind: 'over' })] : [];
    return { send: own === undefined ? [] : [own.bytes], events: [...events, ...said, ...over] };
  }
}

function saying(turn: number, { bytes }: Turn): Event {
  return told({ kind: 'said', turn, length: bytes.length });
}

function told(message: LockStepMessage): Event {
  return { kind: 'message', offset: 0, length: 0, message };
}

/** The first octet that is not as recorded. */
function differenceIn({ bytes, masked }: Turn, heard: readonly number[]): number | undefined {
  const most = Math.max(bytes.length, heard.length);
  for (let at = masked ? bytes.length : 0; at < most; at += 1) {
    if (bytes[at] !== heard[at]) return at;
  }
  return masked && heard.length < bytes.length ? heard.length : undefined;
}

const SILENT: Failure = {
  code: 'no-answer',
  message: 'the other side of the recorded conversation says nothing',
  hint: 'is it the right one, at the right address?',
};
