import { PUBACK_REASONS } from './reason-codes.ts';

const PUBACK = 4;
/** The only byte of a PUBACK that is looked at behind its packet identifier (MQTT 5.0, 3.4.2). */
const REASON_AT = 2;
const UNSPECIFIED = 0x80;
/** More than a window ever has in flight: who answers more than was asked is not remembered. */
const REMEMBERED_MAX = 1024;

/**
 * Reasons that a PUBACK must not have and some brokers give (mosquitto: 0x95 where a message is
 * above `message_size_limit`). The client would end the session over one; here it is put into
 * words that it knows, and the true one is remembered by its packet identifier.
 */
export class PubackReasons {
  readonly #true = new Map<number, number>();
  #identifier = 0;

  /** Sees, and may alter, the bytes of a packet's body from `at` on. */
  pass(type: number, at: number, bytes: Uint8Array): void {
    if (type !== PUBACK || at > REASON_AT) return;
    for (const [index, byte] of bytes.subarray(0, REASON_AT + 1 - at).entries()) {
      if (at + index < REASON_AT) this.#identifier = ((this.#identifier << 8) | byte) & 0xffff;
      else if (byte >= UNSPECIFIED && !PUBACK_REASONS.has(byte)) {
        bytes[index] = UNSPECIFIED;
        if (this.#true.size < REMEMBERED_MAX) this.#true.set(this.#identifier, byte);
      }
    }
  }

  /** The reason that the broker gave for this packet, of which the client tells `told`. */
  of(identifier: number | undefined, told: number): number {
    if (identifier === undefined) return told;
    const given = this.#true.get(identifier) ?? told;
    this.#true.delete(identifier);
    return given;
  }
}
