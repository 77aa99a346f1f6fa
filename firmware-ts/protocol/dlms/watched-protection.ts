import { APDU_TAG } from './apdu-tags.ts';
import { decodeExceptionResponse } from './errors.ts';
import type { Protection, Unprotected } from './protection.ts';

/** What was seen of an association's protection since it was last asked for. */
export interface ProtectionSeen {
  /** Whether every APDU that came in was proven to be the peer's; false where none came. */
  readonly verified: boolean;
  /**
   * The invocation counter that the peer wants to see at least, where it said so. A refusal in
   * clear can be anybody's: a leap uses up counters for good.
   */
  readonly counterWanted?: number;
}

/**
 * A protection that keeps what its user needs beside the answers: the mark of their quality, and
 * how to go on when the peer refuses a counter.
 */
export class WatchedProtection implements Protection {
  readonly #inner: Protection;
  #came = 0;
  #verified = 0;
  #counterWanted: number | undefined;

  constructor(inner: Protection) {
    this.#inner = inner;
  }

  get overheadBytes(): number {
    return this.#inner.overheadBytes;
  }

  protect(apdu: Uint8Array): Uint8Array {
    return this.#inner.protect(apdu);
  }

  unprotect(apdu: Uint8Array, serverTitle?: Uint8Array): Unprotected {
    this.#came += 1;
    const opened = this.#inner.unprotect(apdu, serverTitle);
    if (opened.verified) this.#verified += 1;
    if (opened.apdu[0] === APDU_TAG.exceptionResponse) {
      this.#counterWanted = decodeExceptionResponse(opened.apdu).invocationCounter;
    }
    return opened;
  }

  /** What was seen, and begins anew. */
  take(): ProtectionSeen {
    const verified = this.#came > 0 && this.#verified === this.#came;
    const counterWanted = this.#counterWanted;
    this.#came = 0;
    this.#verified = 0;
    this.#counterWanted = undefined;
    return { verified, ...(counterWanted === undefined ? {} : { counterWanted }) };
  }
}
