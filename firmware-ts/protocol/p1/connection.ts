import type { Failure } from '#bytes/failure.ts';
import { OperatingError, errorOf, failureOf } from '#bytes/failure.ts';
import type { AesGcm } from '../aead.ts';
import type { Connection, ConnectionEvent, Step } from '../connection.ts';
import { Opener } from '../dlms/opener.ts';
import type { AuthenticationPolicy, CipherKeys } from '../dlms/security.ts';
import { isUnverifiedInClear } from '../dlms/security.ts';
import type { P1Frame } from './framer.ts';
import { P1Framer, PIECE_BYTES_MAX } from './framer.ts';
import type { P1Telegram } from './telegram.ts';
import { decodeP1Telegram, owesCrc } from './telegram.ts';

export interface P1Options {
  /** For meters that cipher their telegrams, as in Luxembourg and Austria. */
  readonly ciphering?: {
    readonly keys: CipherKeys;
    readonly cipher: AesGcm;
    /** `if-key` unless given. */
    readonly policy?: AuthenticationPolicy;
  };
  /** `mark` hands out telegrams with a wrong CRC, too, with `check: 'bad'`: to look at them. */
  readonly badCheck?: 'discard' | 'mark';
  /** Milliseconds without a telegram after which the link is opened anew; two minutes. */
  readonly silentMs?: number;
}

/** Telegrams come every second or ten; heat and gas adapters take a minute. */
export const SILENT_MS = 120_000;

/** A pause within a telegram is one lost for good: meters send it in one go. */
const PAUSE_MS = 2000;

type Event = ConnectionEvent<P1Telegram>;
type Whole = Extract<P1Frame, { bytes: Uint8Array }>;

/**
 * A P1 port: the meter talks by itself, nothing is ever sent. A verified telegram is taken once:
 * what was sent before is refused as `replayed`, until `start` forgets the counters.
 */
export class P1Connection implements Connection<P1Telegram> {
  readonly #options: P1Options;
  readonly #framer = new P1Framer();
  #opener: Opener | undefined;
  #lastByteAt = 0;
  #lastTelegramAt = 0;
  /** A CRC was good, so that a later telegram without one has lost it. */
  #sendsCrc = false;

  constructor(options: P1Options = {}) {
    this.#options = options;
    this.#opener = openerOf(options);
  }

  get deadline(): number {
    const silent = this.#lastTelegramAt + (this.#options.silentMs ?? SILENT_MS);
    return this.#framer.pending ? Math.min(silent, this.#lastByteAt + PAUSE_MS) : silent;
  }

  start(at: number): Step<P1Telegram> {
    this.#framer.clear();
    this.#opener = openerOf(this.#options);
    this.#lastByteAt = at;
    this.#lastTelegramAt = at;
    return { send: [], events: [] };
  }

  receive(chunk: Uint8Array, at: number): Step<P1Telegram> {
    const events: Event[] = [];
    this.#lastByteAt = at;
    for (let index = 0; index < chunk.length; index += PIECE_BYTES_MAX) {
      this.#framer.push(chunk.subarray(index, index + PIECE_BYTES_MAX));
      for (let frame = this.#framer.next(); frame; frame = this.#framer.next()) {
        events.push(this.#eventOf(frame, at));
      }
    }
    return { send: [], events };
  }

  expire(at: number): Step<P1Telegram> {
    const events: Event[] = [];
    if (this.#framer.pending && at >= this.#lastByteAt + PAUSE_MS) {
      for (let frame = this.#framer.flush(); frame; frame = this.#framer.flush()) {
        events.push(this.#eventOf(frame, at));
      }
    }
    if (at >= this.#lastTelegramAt + (this.#options.silentMs ?? SILENT_MS)) {
      this.#lastTelegramAt = at;
      events.push({ kind: 'stalled', failure: SILENT });
    }
    return { send: [], events };
  }

  stop(): Step<P1Telegram> {
    return { send: [], events: [] };
  }

  #eventOf(frame: P1Frame, at: number): Event {
    if (frame.kind === 'noise') {
      const { offset, length, code } = frame;
      const failure = { code, message: MESSAGES[code], offset };
      return { kind: 'discarded', offset, length, failure };
    }
    try {
      const message = this.#telegramOf(frame);
      this.#lastTelegramAt = at;
      return { kind: 'message', offset: frame.offset, length: frame.bytes.length, message };
    } catch (error) {
      const length = this.#framer.reject(frame);
      const failure = failureOf(error);
      // Inside a ciphered one there is no place that its sender's bytes would show.
      const within = frame.kind === 'telegram' ? (failure.offset ?? 0) : 0;
      const { offset } = frame;
      return {
        kind: 'discarded',
        offset,
        length,
        failure: { ...failure, offset: offset + within },
      };
    }
  }

  #telegramOf(frame: Whole): P1Telegram {
    if (frame.kind === 'telegram') return this.#inClear(frame.bytes);
    if (this.#opener === undefined) throw keyMissing();
    const { plaintext, verified, systemTitle } = this.#opener.open(frame.bytes);
    const ciphered = { verified, systemTitle: systemTitle.slice() };
    return { ...this.#judged(decodeP1Telegram(plaintext)), ciphered };
  }

  #inClear(bytes: Uint8Array): P1Telegram {
    const { keys = {}, policy = 'if-key' } = this.#options.ciphering ?? {};
    const unverified = isUnverifiedInClear(keys, policy);
    const telegram = this.#judged(decodeP1Telegram(bytes));
    return unverified ? { ...telegram, unverified: true } : telegram;
  }

  /** A damaged telegram is refused; without a CRC only its form can tell. */
  #judged(read: P1Telegram): P1Telegram {
    const [unread] = read.unread;
    const lost = read.check === 'absent' && (this.#sendsCrc || owesCrc(read));
    const telegram: P1Telegram = lost ? { ...read, check: 'bad' } : read;
    if (telegram.check === 'good') this.#sendsCrc = true;
    if (telegram.check === 'bad' && this.#options.badCheck !== 'mark') {
      throw new OperatingError('bad-crc', 'the telegram was damaged on its way', {
        field: 'crc',
        hint: 'if it happens often: shorten the cable, check the level of the data line',
      });
    }
    if (read.check === 'absent' && unread !== undefined) {
      throw errorOf(unread);
    }
    return telegram;
  }
}

function openerOf({ ciphering }: P1Options): Opener | undefined {
  if (ciphering === undefined) return undefined;
  const { keys, cipher, policy = 'if-key' } = ciphering;
  return new Opener({ keys, policy, cipher, plausible: beginsLikeTelegram });
}

function beginsLikeTelegram(plaintext: Uint8Array): boolean {
  return plaintext[0] === 0x2f;
}

function keyMissing(): OperatingError {
  return new OperatingError('key-missing', 'the telegrams are ciphered', {
    field: 'encryption-key',
    hint: 'ask the grid operator for the key of this meter and put it into the configuration',
  });
}

const SILENT: Failure = {
  code: 'silent',
  message: 'no telegram for a long time',
  hint: 'check the request line of the P1 port (5 V), baud rate and format, and that P1 is enabled',
};

const MESSAGES = {
  noise: 'bytes between telegrams',
  truncated: 'a telegram breaks off',
  'bad-character': 'a control character in a telegram',
  'too-long': 'a telegram without an end',
} as const;
