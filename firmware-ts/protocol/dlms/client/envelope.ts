import { APDU_TAG } from '../apdu-tags.ts';
import type { Transferred } from '../block-transfer.ts';
import { BlockTransfer } from '../block-transfer.ts';
import type { Protection } from '../protection.ts';
import { IN_CLEAR } from '../protection.ts';

/** What an APDU of the link holds. */
export type Opened =
  | { readonly kind: 'apdu'; readonly apdu: Uint8Array; readonly verified: boolean }
  /** A general block; more are to come, and these are to be sent before. */
  | { readonly kind: 'block'; readonly send: readonly Uint8Array[] };

const BLOCK_WINDOW = 8;

/** The services between AARQ and RLRQ are protected; these two pairs are not. */
const ACSE: readonly number[] = [APDU_TAG.aarq, APDU_TAG.aare, APDU_TAG.rlrq, APDU_TAG.rlre];

/**
 * What an APDU in clear is carried in (IEC 62056-5-3, 5.3 and 6.13): its protection, and general
 * blocks around that where the whole is too long for the peer, or inside of it.
 */
export class Envelope {
  readonly #protection: Protection | undefined;
  readonly #window: number;
  #transfer: BlockTransfer | undefined;
  /** A transfer came to nothing: each answer to a block of it could bring the next one. */
  #mute = false;

  constructor(protection: Protection | undefined, blockWindow = BLOCK_WINDOW) {
    this.#protection = protection;
    this.#window = blockWindow;
  }

  /** What goes over the link first; `apduBytesMax` is the most that the peer takes at once. */
  seal(apdu: Uint8Array, apduBytesMax: number): readonly Uint8Array[] {
    const bare = isAcse(apdu);
    this.#mute = false;
    const bytes = bare ? apdu : (this.#protection ?? IN_CLEAR).protect(apdu);
    const blocked = !bare && bytes.length > apduBytesMax;
    this.#transfer = blocked ? new BlockTransfer(this.#window, bytes, apduBytesMax) : undefined;
    return this.#transfer?.begin() ?? [bytes];
  }

  /** Errors: those of the protection and of `BlockTransfer.receive`. */
  open(bytes: Uint8Array): Opened {
    if (bytes[0] === APDU_TAG.generalBlockTransfer) return this.#transferred(bytes);
    if (this.#protection === undefined || isAcse(bytes)) {
      return { kind: 'apdu', apdu: bytes, verified: false };
    }
    const { apdu, verified } = this.#protection.unprotect(bytes);
    if (apdu[0] === APDU_TAG.generalBlockTransfer) return this.#transferred(apdu);
    return { kind: 'apdu', apdu, verified };
  }

  /** What to send where the server has fallen silent in the middle of a transfer. */
  again(): readonly Uint8Array[] {
    return this.#mute ? [] : (this.#transfer?.again() ?? []);
  }

  /** No more blocks of what was begun are expected. */
  forget(): void {
    this.#transfer = undefined;
  }

  #transferred(bytes: Uint8Array): Opened {
    if (this.#mute) return { kind: 'block', send: [] };
    this.#transfer ??= new BlockTransfer(this.#window);
    const { send, apdu } = this.#blockTaken(this.#transfer, bytes);
    return apdu === undefined ? { kind: 'block', send } : this.open(apdu);
  }

  #blockTaken(transfer: BlockTransfer, bytes: Uint8Array): Transferred {
    try {
      return transfer.receive(bytes);
    } catch (error) {
      this.#mute = true;
      throw error;
    }
  }
}

function isAcse(apdu: Uint8Array): boolean {
  return ACSE.includes(apdu[0] ?? 0);
}
