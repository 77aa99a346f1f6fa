import { OperatingError, failureOf } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import type { AesGcm } from '../aead.ts';
import type { Deciphered } from './ciphering.ts';
import type { GeneralCiphering } from './general-ciphering.ts';
import { decodeGeneralCiphering, openGeneralCiphering } from './general-ciphering.ts';
import { METER_KEYS_MAX, ReplayGuard } from './replay.ts';
import type { AuthenticationPolicy, CipherKeys } from './security.ts';
import { securityControlFrom } from './security.ts';

export interface OpenerOptions {
  readonly keys: CipherKeys;
  readonly policy: AuthenticationPolicy;
  readonly cipher: AesGcm;
  /** Whether a plaintext can be what was sent. */
  readonly plausible: (plaintext: Uint8Array) => boolean;
}

/**
 * Opens the ciphered messages of one link. It remembers which keys have fitted which meter, and
 * the counters of what was verified: so that damage is told from a wrong key, and a repetition
 * from a message.
 */
export class Opener {
  readonly #options: OpenerOptions;
  readonly #replays = new ReplayGuard();
  /** Meters and keys that once belonged together. */
  readonly #fitted = new Set<string>();

  constructor(options: OpenerOptions) {
    this.#options = options;
  }

  /**
   * Errors: those of `openGeneralCiphering`, but `bad-tag` instead of `wrong-key` once the key has
   * fitted this meter; `replayed`.
   */
  open(apdu: Uint8Array): Deciphered {
    const meterKey = meterKeyOf(decodeGeneralCiphering(apdu));
    const opened = this.#opened(apdu, meterKey);
    if (opened.verified || opened.securityControl.encrypted) this.#remember(meterKey);
    if (opened.verified) this.#replays.admit(meterKey, opened.invocationCounter);
    return opened;
  }

  #opened(apdu: Uint8Array, meterKey: string): Deciphered {
    const { keys, policy, cipher, plausible } = this.#options;
    try {
      return openGeneralCiphering(apdu, keys, policy, cipher, plausible);
    } catch (error) {
      const damaged = failureOf(error).code === 'wrong-key' && this.#fitted.has(meterKey);
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
function meterKeyOf({ kind, systemTitle, content }: GeneralCiphering): string {
  const { broadcastKey } = securityControlFrom(content[0] ?? 0);
  const dedicated = kind === 'general-ded-ciphering';
  const key = dedicated ? 'dedicated' : broadcastKey ? 'broadcast' : 'unicast';
  return `${toHex(systemTitle)} ${key}`;
}

function badTag(cause: unknown): OperatingError {
  return new OperatingError('bad-tag', 'a ciphered message was damaged on its way', {
    field: 'authentication-tag',
    hint: 'the key has fitted before: check the line, or whether the key was changed meanwhile',
    cause,
  });
}
