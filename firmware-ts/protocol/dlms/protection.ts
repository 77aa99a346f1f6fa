import type { Failure } from '#bytes/failure.ts';

/** How the APDUs of one association are protected on their way (IEC 62056-5-3, 5.3). */
export interface Protection {
  /** By how much an APDU grows at most. */
  readonly overheadBytes: number;
  /**
   * A service's APDU as it goes out; takes an invocation counter each time. Errors: `key-missing`,
   * `bad-key`, `counter-exhausted`.
   */
  protect(apdu: Uint8Array): Uint8Array;
  /**
   * What came in, in clear. `serverTitle` is what the server said when it answered the AARQ; it is
   * kept for all that follows. Errors: `wrong-key`, `bad-tag`, `key-missing`, `not-authenticated`,
   * `replayed`.
   */
  unprotect(apdu: Uint8Array, serverTitle?: Uint8Array): Unprotected;
}

export interface Unprotected {
  readonly apdu: Uint8Array;
  /** True where a tag or signature proved the sender, false where it could have and did not. */
  readonly verified: boolean;
}

/** An association without ciphering. */
export const IN_CLEAR: Protection = {
  overheadBytes: 0,
  protect: (apdu) => apdu,
  unprotect: (apdu) => ({ apdu, verified: false }),
};

/** How a client proves who it is, and lets the server prove itself (IEC 62056-5-3, 5.2). */
export interface Authenticator {
  /** Leaf of `MECHANISM`. */
  readonly mechanismName: number;
  /** The password (low), or the challenge to the server (high); absent without authentication. */
  readonly callingAuthenticationValue?: Uint8Array;
  /** What makes the mechanism high: passes 3 and 4, after the association is accepted. */
  readonly high?: HighAuthentication;
}

export interface HighAuthentication {
  /** Pass 3: what the client makes of the server's challenge. */
  reply(serverChallenge: Uint8Array, serverTitle: Uint8Array): Uint8Array;
  /** Pass 4: `undefined` where the server's reply is right. */
  judge(
    serverReply: Uint8Array,
    serverChallenge: Uint8Array,
    serverTitle: Uint8Array,
  ): Failure | undefined;
}
