import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { AesGcm } from '../aead.ts';
import type { Connection, ConnectionEvent, Step } from '../connection.ts';
import { QUIET } from '../connection.ts';
import type { CosemItem } from '../cosem/lists.ts';
import { cosemList } from '../cosem/lists.ts';
import type { FramerEvent } from '../framer.ts';
import { APDU_TAG } from './apdu-tags.ts';
import type { Deciphered } from './ciphering.ts';
import type { Data } from './data.ts';
import type { DataNotification } from './data-notification.ts';
import { decodeDataNotification } from './data-notification.ts';
import type { CosemDateTime } from './date-time.ts';
import { dateTimeFrom } from './date-time.ts';
import type { Deframer, FramedApdu, Framing } from './deframer.ts';
import { deframerFor } from './deframer.ts';
import { DetectingDeframer } from './detect.ts';
import { openGeneralCiphering } from './general-ciphering.ts';
import type { AuthenticationPolicy, CipherKeys } from './security.ts';

/** What a meter pushed. */
export interface DlmsPushMessage {
  readonly longInvokeIdAndPriority: number;
  /** The notification's own time; many meters send none, or only a clock object. */
  readonly dateTime?: CosemDateTime;
  readonly items: readonly CosemItem[];
  /** The table that gave the list its meaning, where it does not describe itself. */
  readonly list?: string;
  readonly body: Data;
  /** The body ended before its count; the items are those that arrived. */
  readonly defect?: Failure;
  /** Present if the APDU came ciphered. */
  readonly ciphering?: Omit<Deciphered, 'plaintext'>;
  /** It came ciphered, and nothing proves that it came from the meter. */
  readonly unverified: boolean;
  /** The APDU in clear. */
  readonly apdu: Uint8Array;
}

export interface DlmsPushOptions {
  readonly framing: Framing | 'auto';
  readonly keys?: CipherKeys;
  readonly authentication: AuthenticationPolicy;
  readonly cipher: AesGcm;
}

/** Longer than any pause inside a frame, shorter than the shortest push interval (2,5 s). */
const SILENCE_MS = 2000;
/** Blocks of one APDU come up to seconds apart; the next push is due by then. */
const SEGMENTS_WAIT_MS = 30_000;

/** A meter that pushes data-notifications and expects no answer. */
export class DlmsPushConnection implements Connection<DlmsPushMessage> {
  readonly #options: DlmsPushOptions;
  #deframer: Deframer;
  #lastAt = 0;

  constructor(options: DlmsPushOptions) {
    this.#options = options;
    this.#deframer = deframerOf(options.framing);
  }

  get deadline(): number {
    if (this.#deframer.pending > 0) return this.#lastAt + SILENCE_MS;
    return this.#deframer.unfinished ? this.#lastAt + SEGMENTS_WAIT_MS : Infinity;
  }

  start(at: number): Step<DlmsPushMessage> {
    this.#deframer = deframerOf(this.#options.framing);
    this.#lastAt = at;
    return QUIET;
  }

  receive(chunk: Uint8Array, at: number): Step<DlmsPushMessage> {
    this.#lastAt = at;
    return this.#step(this.#deframer.push(chunk));
  }

  expire(at: number): Step<DlmsPushMessage> {
    const flushed = this.#deframer.pending > 0 ? this.#deframer.flush() : [];
    const late = at - this.#lastAt >= SEGMENTS_WAIT_MS;
    return this.#step(late ? [...flushed, ...this.#deframer.forget()] : flushed);
  }

  stop(): Step<DlmsPushMessage> {
    return QUIET;
  }

  #step(events: readonly FramerEvent<FramedApdu>[]): Step<DlmsPushMessage> {
    if (events.length === 0) return QUIET;
    return { send: [], events: events.map((event) => this.#understood(event)) };
  }

  #understood(event: FramerEvent<FramedApdu>): ConnectionEvent<DlmsPushMessage> {
    if (event.kind === 'discarded') return event;
    const { offset, length, frame } = event;
    try {
      return { kind: 'message', offset, length, message: readPush(frame, this.#options) };
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return { kind: 'discarded', offset, length, failure: failureOf(error) };
    }
  }
}

function deframerOf(framing: Framing | 'auto'): Deframer {
  return framing === 'auto' ? new DetectingDeframer() : deframerFor(framing);
}

/**
 * Reads one pushed APDU, ciphered or in clear. Errors: those of `openGeneralCiphering` and
 * `decodeDataNotification`; their offsets count from the APDU's first byte.
 */
export function readPush(
  { bytes, integral }: FramedApdu,
  options: Omit<DlmsPushOptions, 'framing'>,
): DlmsPushMessage {
  const tag = bytes[0];
  if (tag === undefined) throw new OperatingError('no-apdu', 'a frame without information');
  if (tag !== APDU_TAG.generalGloCiphering && tag !== APDU_TAG.generalDedCiphering) {
    return messageOf(bytes, decodeDataNotification(bytes, integral));
  }
  const { keys = {}, authentication, cipher } = options;
  const opened = openGeneralCiphering(bytes, keys, authentication, cipher, isNotification);
  const { plaintext, ...ciphering } = opened;
  const trusted = integral || opened.verified;
  return {
    ...messageOf(plaintext, decodeDataNotification(plaintext, trusted)),
    ciphering,
    unverified: !opened.verified,
  };
}

/** Only a notification is pushed so; a wrong key makes one once in 2^40 texts or less. */
function isNotification(plaintext: Uint8Array): boolean {
  try {
    decodeDataNotification(plaintext, true);
    return true;
  } catch (error) {
    if (error instanceof OperatingError) return false;
    throw error;
  }
}

function messageOf(apdu: Uint8Array, notification: DataNotification): DlmsPushMessage {
  const { longInvokeIdAndPriority, dateTime, body, defect } = notification;
  return {
    longInvokeIdAndPriority,
    ...(dateTime === undefined ? {} : { dateTime: dateTimeFrom(dateTime) }),
    ...cosemList(body),
    body,
    ...(defect === undefined ? {} : { defect }),
    unverified: false,
    apdu,
  };
}
