import type { Failure } from '#bytes/failure.ts';
import type { Ciphers } from '../ciphers.ts';
import type { MechanismName } from './acse.ts';
import { MECHANISM } from './acse.ts';
import type { ChallengeFunction, GmacOptions, Passes, SignatureOptions } from './hls-mechanisms.ts';
import {
  blockCipherFunction,
  digestFunction,
  gmacFunction,
  sha256Function,
  signatureFunction,
} from './hls-mechanisms.ts';
import { areEqual } from './octets.ts';
import type { Authenticator } from './protection.ts';

/** A mechanism of high level security (IEC 62056-5-3, 5.2.2.2.3) and what it needs. */
export type HighMechanism =
  | {
      readonly name: 'high' | 'high-md5' | 'high-sha1' | 'high-sha256';
      readonly secret: Uint8Array;
    }
  | ({ readonly name: 'high-gmac' } & Omit<GmacOptions, 'ciphers'>)
  | ({ readonly name: 'high-ecdsa' } & Omit<SignatureOptions, 'ciphers'>);

/** Nobody proves anything. */
export const LOWEST: Authenticator = { mechanismName: MECHANISM.lowest };

/** Low level security: the password goes as it is. */
export function lowAuthenticator(password: Uint8Array): Authenticator {
  return { mechanismName: MECHANISM.low, callingAuthenticationValue: password };
}

export interface ClientAuthentication {
  readonly mechanism: HighMechanism;
  readonly clientTitle: Uint8Array;
  readonly ciphers: Ciphers;
  /**
   * Takes our own challenge as the server's, with a mechanism where that lets anybody answer for
   * the server: for servers that know no other, and mocks.
   */
  readonly toleratesReflection?: boolean;
}

/**
 * The client's side of a high mechanism; made anew for each association, because its challenge is.
 * Errors: `bad-key`.
 */
export function highAuthenticator(options: ClientAuthentication): Authenticator {
  const { mechanism, clientTitle, ciphers } = options;
  const challenges = challengeFunction(mechanism, ciphers);
  const clientChallenge = ciphers.randomBytes(challengeBytesOf(mechanism.name));
  const passesOf = (serverChallenge: Uint8Array, serverTitle: Uint8Array): Passes => ({
    clientTitle,
    serverTitle,
    clientChallenge,
    serverChallenge,
  });
  return {
    mechanismName: MECHANISM[mechanism.name],
    callingAuthenticationValue: clientChallenge,
    high: {
      reply: (challenge, title) => challenges.prove('client', passesOf(challenge, title)),
      judge(reply, challenge, title) {
        const passes = passesOf(challenge, title);
        if (options.toleratesReflection !== true && isReflection(challenges, passes)) {
          return REFLECTED;
        }
        return challenges.isProof('server', passes, reply) ? undefined : NOT_AUTHENTIC;
      },
    },
  };
}

export interface ServerAuthenticatorOptions {
  readonly mechanism: HighMechanism;
  readonly serverTitle: Uint8Array;
  readonly ciphers: Ciphers;
}

/**
 * The server's side, seen from there: what is judged is f(StoC) of the client, and the reply is
 * f(CtoS). Made anew for each association, because its challenge is.
 */
export function serverAuthenticator(options: ServerAuthenticatorOptions): Authenticator {
  const { mechanism, serverTitle, ciphers } = options;
  const challenges = challengeFunction(mechanism, ciphers);
  const serverChallenge = ciphers.randomBytes(challengeBytesOf(mechanism.name));
  const passesOf = (clientChallenge: Uint8Array, clientTitle: Uint8Array): Passes => ({
    clientTitle,
    serverTitle,
    clientChallenge,
    serverChallenge,
  });
  return {
    mechanismName: MECHANISM[mechanism.name],
    callingAuthenticationValue: serverChallenge,
    high: {
      reply: (challenge, title) => challenges.prove('server', passesOf(challenge, title)),
      judge: (proof, challenge, title) =>
        challenges.isProof('client', passesOf(challenge, title), proof) ? undefined : REFUSED,
    },
  };
}

function challengeFunction(mechanism: HighMechanism, ciphers: Ciphers): ChallengeFunction {
  switch (mechanism.name) {
    case 'high':
      return blockCipherFunction(mechanism.secret, ciphers);
    case 'high-md5':
      return digestFunction('md5', mechanism.secret, ciphers);
    case 'high-sha1':
      return digestFunction('sha-1', mechanism.secret, ciphers);
    case 'high-sha256':
      return sha256Function(mechanism.secret, ciphers);
    case 'high-gmac':
      return gmacFunction({ ...mechanism, ciphers });
    case 'high-ecdsa':
      return signatureFunction({ ...mechanism, ciphers });
  }
}

/** 8 to 64, and at least 32 where they are signed (IEC 62056-5-3, 5.2.2.2.3, Table 17). */
function challengeBytesOf(name: MechanismName): number {
  return name === 'high-ecdsa' ? 32 : 16;
}

/** Who sends our challenge back as theirs can send our own proof back as theirs, too. */
function isReflection(challenges: ChallengeFunction, passes: Passes): boolean {
  if (!areEqual(passes.clientChallenge, passes.serverChallenge)) return false;
  return !challenges.bindsTitles || areEqual(passes.clientTitle, passes.serverTitle);
}

const NOT_AUTHENTIC: Failure = {
  code: 'not-authentic',
  message: 'what the meter proves itself with does not fit',
  hint: 'compare secret and keys with what the meter was given; somebody else may answer for it',
};

const REFLECTED: Failure = {
  code: 'not-authentic',
  message: 'the meter sent our own challenge back, so that its proof can be our own',
  hint: 'use another mechanism (5, 6 or 7), or tolerate it for this meter by its quirks',
};

const REFUSED: Failure = {
  code: 'authentication-failed',
  message: 'what the client proves itself with does not fit',
};
