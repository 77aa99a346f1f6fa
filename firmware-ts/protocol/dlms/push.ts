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
import { Opener } from './opener.ts';
import type { AuthenticationPolicy, CipherKeys } from './security.ts';
import { isUnverifiedInClear } from './security.ts';

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
  /** It came ciphered, or could have, and nothing proves that it came from the meter. */
  readonly unverified: boolean;
  /** The APDU in clear. */
  readonly apdu: Uint8Array;
}

export interface DlmsPushOptions {
  readonly framing: Framing | 'auto';
  readonly keys?: CipherKeys;
  readonly authentication: AuthenticationPolicy;
  readonly cipher: AesGcm;
  /** Milliseconds without a push after which the link is opened anew; 65 minutes. */
  readonly silentMs?: number;
}

/** The rarest common push interval is an hour; idle peers must not hold their places for ever. */
export const SILENT_MS = 65 * 60_000;

/** Longer than any pause inside a frame, shorter than the shortest push interval (2,5 s). */
const SILENCE_MS = 2000;
/** Blocks of one APDU come up to seconds apart; the next push is due by then. */
const SEGMENTS_WAIT_MS = 30_000;

/**
 * A meter that pushes data-notifications and expects no answer. A verified push is taken once: what
 * was sent before is refused as `replayed`, until `start` forgets the counters.
 */
export class DlmsPushConnection implements Connection<DlmsPushMessage> {
  readonly #options: DlmsPushOptions;
  #deframer: Deframer;
  #opener: Opener;
  #lastAt = 0;
  #lastPushAt = 0;

  constructor(options: DlmsPushOptions) {
    this.#options = options;
    this.#deframer = deframerOf(options.framing);
    this.#opener = openerOf(options);
  }

  get deadline(): number {
    return Math.min(this.#flushAt, this.#silentAt);
  }

  get #flushAt(): number {
    if (this.#deframer.pending > 0) return this.#lastAt + SILENCE_MS;
    return this.#deframer.unfinished ? this.#lastAt + SEGMENTS_WAIT_MS : Infinity;
  }

  get #silentAt(): number {
    return this.#lastPushAt + (this.#options.silentMs ?? SILENT_MS);
  }

  start(at: number): Step<DlmsPushMessage> {
    this.#deframer = deframerOf(this.#options.framing);
    this.#opener = openerOf(this.#options);
    this.#lastAt = at;
    this.#lastPushAt = at;
    return QUIET;
  }

  receive(chunk: Uint8Array, at: number): Step<DlmsPushMessage> {
    this.#lastAt = at;
    return this.#step(this.#deframer.push(chunk), at);
  }

  expire(at: number): Step<DlmsPushMessage> {
    const { send, events } = this.#step(at >= this.#flushAt ? this.#givenUp(at) : [], at);
    if (at < this.#silentAt) return { send, events };
    this.#lastPushAt = at;
    return { send, events: [...events, { kind: 'stalled', failure: SILENT }] };
  }

  #givenUp(at: number): readonly FramerEvent<FramedApdu>[] {
    const flushed = this.#deframer.pending > 0 ? this.#deframer.flush() : [];
    const late = at - this.#lastAt >= SEGMENTS_WAIT_MS;
    return late ? [...flushed, ...this.#deframer.forget()] : flushed;
  }

  stop(): Step<DlmsPushMessage> {
    return QUIET;
  }

  #step(events: readonly FramerEvent<FramedApdu>[], at: number): Step<DlmsPushMessage> {
    if (events.length === 0) return QUIET;
    return { send: [], events: events.map((event) => this.#understood(event, at)) };
  }

  #understood(event: FramerEvent<FramedApdu>, at: number): ConnectionEvent<DlmsPushMessage> {
    if (event.kind === 'discarded') return event;
    const { offset, length, frame } = event;
    try {
      const message = readPush(frame, this.#options, this.#opener);
      this.#lastPushAt = at;
      return { kind: 'message', offset, length, message };
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return { kind: 'discarded', offset, length, failure: placed(failureOf(error), event) };
    }
  }
}

/** Bare APDUs and the wrapper end with the APDU; of others the place is that of the frame. */
function placed(
  failure: Failure,
  { offset, length, frame }: Extract<FramerEvent<FramedApdu>, { kind: 'frame' }>,
): Failure {
  const { bytes, integral } = frame;
  if (integral || isCiphered(bytes[0])) return { ...failure, offset };
  return { ...failure, offset: offset + length - bytes.length + (failure.offset ?? 0) };
}

function isCiphered(tag: number | undefined): boolean {
  return tag === APDU_TAG.generalGloCiphering || tag === APDU_TAG.generalDedCiphering;
}

const SILENT: Failure = {
  code: 'silent',
  message: 'no push for a long time',
  hint: 'check that the meter is configured to push to this gateway, and how often',
};

function deframerOf(framing: Framing | 'auto'): Deframer {
  return framing === 'auto' ? new DetectingDeframer() : deframerFor(framing);
}

function openerOf({ keys = {}, authentication: policy, cipher }: DlmsPushOptions): Opener {
  return new Opener({ keys, policy, cipher, plausible: isNotification });
}

/**
 * Reads one pushed APDU, ciphered or in clear. Errors: `not-authenticated` for one in clear under
 * `require`, those of `Opener` and `decodeDataNotification`; offsets count from the APDU's first
 * byte.
 */
function readPush(
  { bytes, integral }: FramedApdu,
  { keys = {}, authentication }: DlmsPushOptions,
  opener: Opener,
): DlmsPushMessage {
  const tag = bytes[0];
  if (tag === undefined) throw new OperatingError('no-apdu', 'a frame without information');
  if (!isCiphered(tag)) {
    const unverified = isUnverifiedInClear(keys, authentication);
    return { ...messageOf(bytes, decodeDataNotification(bytes, integral)), unverified };
  }
  const { plaintext, ...ciphering } = opener.open(bytes);
  const trusted = integral || ciphering.verified;
  return {
    ...messageOf(plaintext, decodeDataNotification(plaintext, trusted)),
    ciphering,
    unverified: !ciphering.verified,
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

type Unjudged = Omit<DlmsPushMessage, 'unverified'>;

function messageOf(apdu: Uint8Array, notification: DataNotification): Unjudged {
  const { longInvokeIdAndPriority, dateTime, body, defect } = notification;
  return {
    longInvokeIdAndPriority,
    ...(dateTime === undefined ? {} : { dateTime: dateTimeFrom(dateTime) }),
    ...cosemList(body),
    body,
    ...(defect === undefined ? {} : { defect }),
    apdu,
  };
}
