import { APDU_TAG } from './apdu-tags.ts';
import { decodeExceptionResponse } from './errors.ts';
import type { Protection, Unprotected } from './protection.ts';
import { isRefusal } from './service-tags.ts';

/**
 * A protection that keeps what its user needs beside the answers of one association: the mark of
 * their quality, and how to go on when the peer refuses a counter.
 */
export class WatchedProtection implements Protection {
  readonly #inner: Protection;
  #unverified = false;
  #counterWanted: number | undefined;

  constructor(inner: Protection) {
    this.#inner = inner;
  }

  get overheadBytes(): number {
    return this.#inner.overheadBytes;
  }

  /** Whether anything that may hold a value came and was not proven to be the peer's. */
  get unverified(): boolean {
    return this.#unverified;
  }

  /**
   * The invocation counter that the peer wants to see at least, where it said so last. A refusal in
   * clear can be anybody's: a leap uses up counters for good.
   */
  get counterWanted(): number | undefined {
    return this.#counterWanted;
  }

  protect(apdu: Uint8Array): Uint8Array {
    return this.#inner.protect(apdu);
  }

  unprotect(apdu: Uint8Array, serverTitle?: Uint8Array): Unprotected {
    const opened = this.#inner.unprotect(apdu, serverTitle);
    if (!opened.verified && !isRefusal(opened.apdu)) this.#unverified = true;
    if (opened.apdu[0] === APDU_TAG.exceptionResponse) {
      this.#counterWanted = decodeExceptionResponse(opened.apdu).invocationCounter;
    }
    return opened;
  }
}
