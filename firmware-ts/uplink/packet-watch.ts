/** One byte each carries seven bits of the length (MQTT 5, 2.1.4; MQTT 3.1.1, 2.2.3). */
const LENGTH_BYTES_MAX = 4;

export interface PacketEyes {
  /** A packet of so many bytes, header included, is announced; `false` where it may not come. */
  readonly begun?: (type: number, bytes: number) => boolean;
  /** A piece of a body, with the place of its first byte in the body. */
  readonly passed?: (type: number, at: number, bytes: Uint8Array) => void;
}

/**
 * Follows the packets of an MQTT stream by their fixed headers (MQTT 5, 2.1.1), so that one is
 * known to be too large before anybody gathers it. It keeps nothing but counters.
 */
export class PacketWatch {
  readonly #packetBytesMax: number;
  readonly #eyes: PacketEyes;
  #type = 0;
  #bodyAt = 0;
  #state: 'type' | 'length' | 'body' = 'type';
  #headerBytes = 0;
  #bodyBytes = 0;

  /** `packetBytesMax` counts whole packets, header included (MQTT 5, 3.1.2.11.4). */
  constructor(packetBytesMax: number, eyes: PacketEyes = {}) {
    this.#packetBytesMax = packetBytesMax;
    this.#eyes = eyes;
  }

  /** Takes the next bytes; `false` once a packet declares more than is allowed, or may not come. */
  push(chunk: Uint8Array): boolean {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#state === 'body') offset += this.#passBody(chunk.subarray(offset));
      else {
        if (!this.#takeHeader(chunk[offset] ?? 0)) return false;
        offset += 1;
      }
    }
    return true;
  }

  #passBody(available: Uint8Array): number {
    const passed = Math.min(available.length, this.#bodyBytes);
    this.#eyes.passed?.(this.#type, this.#bodyAt, available.subarray(0, passed));
    this.#bodyAt += passed;
    this.#bodyBytes -= passed;
    if (this.#bodyBytes === 0) this.#state = 'type';
    return passed;
  }

  #takeHeader(byte: number): boolean {
    if (this.#state === 'type') {
      this.#state = 'length';
      [this.#type, this.#bodyAt] = [byte >> 4, 0];
      [this.#headerBytes, this.#bodyBytes] = [1, 0];
      return true;
    }
    this.#bodyBytes += (byte & 0x7f) * 128 ** (this.#headerBytes - 1);
    this.#headerBytes += 1;
    const more = (byte & 0x80) !== 0;
    // A length that does not end is larger than any.
    if (more && this.#headerBytes > LENGTH_BYTES_MAX) return false;
    const bytes = this.#headerBytes + this.#bodyBytes;
    if (more || bytes > this.#packetBytesMax) return bytes <= this.#packetBytesMax;
    this.#state = this.#bodyBytes === 0 ? 'type' : 'body';
    return this.#eyes.begun?.(this.#type, bytes) ?? true;
  }
}
