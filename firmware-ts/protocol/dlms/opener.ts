import { OperatingError, failureOf } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import type { AesGcm } from '../aead.ts';
import type { Deciphered } from './ciphering.ts';
import { decipher } from './ciphering.ts';
import { decodeGeneralCiphering } from './general-ciphering.ts';
import type { CounterGate } from './replay.ts';
import { METER_KEYS_MAX, ReplayGuard } from './replay.ts';
import type { AuthenticationPolicy, CipherKeys } from './security.ts';
import { securityControlFrom } from './security.ts';

export interface OpenerOptions {
  readonly keys: CipherKeys;
  readonly policy: AuthenticationPolicy;
  readonly cipher: AesGcm;
  /** Whether a plaintext can be what was sent. */
  readonly plausible: (plaintext: Uint8Array) => boolean;
  /** Refuses counters that were used; one that outlives this link, where there is such. */
  readonly replays?: CounterGate | undefined;
}

/** A ciphered body (security control, invocation counter, text, tag) and what it was found in. */
export interface SealedContent {
  readonly systemTitle: Uint8Array;
  readonly content: Uint8Array;
  readonly dedicated?: boolean;
  /** Instead of the global keys: what the key information of the APDU leads to. */
  readonly agreed?: AgreedKey;
  /** Fields that are authenticated with the text. */
  readonly header?: Uint8Array;
}

export interface AgreedKey {
  readonly key: Uint8Array;
  /** Tells it from other keys, and tells nothing of it: replays are known by key and counter. */
  readonly name: string;
}

const WRONG_KEY: readonly string[] = ['wrong-key', 'wrong-authentication-key'];

/**
 * Opens the ciphered messages of one link. It remembers which keys have fitted which meter, and
 * the counters of what was verified: so that damage is told from a wrong key, and a repetition
 * from a message.
 */
export class Opener {
  readonly #options: OpenerOptions;
  readonly #replays: CounterGate;
  /** Meters and keys that once belonged together. */
  readonly #fitted = new Set<string>();

  constructor(options: OpenerOptions) {
    this.#options = options;
    this.#replays = options.replays ?? new ReplayGuard();
  }

  /**
   * Errors: those of `openGeneralCiphering`, but `bad-tag` instead of a wrong key once the key has
   * fitted this meter; `replayed`.
   */
  open(apdu: Uint8Array): Deciphered {
    const { systemTitle, kind, content } = decodeGeneralCiphering(apdu);
    return this.openContent({
      systemTitle,
      content,
      dedicated: kind === 'general-ded-ciphering',
    });
  }

  /** The same for a ciphered body whose envelope says less, or more. */
  openContent(sealed: SealedContent): Deciphered {
    const meterKey = meterKeyOf(sealed);
    const opened = this.#opened(sealed, meterKey);
    if (opened.verified || opened.securityControl.encrypted) this.#remember(meterKey);
    if (opened.verified) this.#replays.admit(meterKey, opened.invocationCounter);
    return opened;
  }

  #opened({ content, agreed, ...envelope }: SealedContent, meterKey: string): Deciphered {
    const { keys: own, policy, cipher, plausible } = this.#options;
    const key = agreed === undefined ? {} : { encryption: agreed.key, broadcast: agreed.key };
    const keys = { ...own, ...key };
    try {
      return decipher(content, { ...envelope, keys, policy, cipher, plausible });
    } catch (error) {
      const damaged = WRONG_KEY.includes(failureOf(error).code) && this.#fitted.has(meterKey);
      throw damaged ? badTag(error) : error;
    }
  }

  #remember(meterKey: string): void {
    this.#fitted.delete(meterKey);
    this.#fitted.add(meterKey);
    const [eldest] = this.#fitted;
    if (this.#fitted.size > METER_KEYS_MAX && eldest !== undefined) this.#fitted.delete(eldest);
  }
}

/** System title and the key that is meant: each key of a meter has a counter of its own. */
function meterKeyOf({ systemTitle, content, dedicated, agreed }: SealedContent): string {
  const { broadcastKey } = securityControlFrom(content[0] ?? 0);
  const global = broadcastKey ? 'broadcast' : 'unicast';
  const key = dedicated === true ? 'dedicated' : global;
  return `${toHex(systemTitle)} ${agreed?.name ?? key}`;
}

function badTag(cause: unknown): OperatingError {
  return new OperatingError('bad-tag', 'a ciphered message was damaged on its way', {
    field: 'authentication-tag',
    hint: 'the key has fitted before: check the line, or whether the key was changed meanwhile',
    cause,
  });
}
