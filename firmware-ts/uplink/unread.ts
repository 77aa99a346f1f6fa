/** Twice what a window ever has in flight, urgent messages included. */
const BYTES_MAX = 16 << 20;
/** More than a window has messages: as many answers of ours, each of some hundred bytes here. */
const PACKETS_MAX = 8192;

/**
 * Whether the broker still reads what is sent to it. One that sends, or acknowledges what it cannot
 * have read, and reads nothing would have all that we say pile up here.
 */
export class Unread {
  readonly #stream: { readonly writableLength: number };
  #lastBytes = 0;
  #packets = 0;

  constructor(stream: { readonly writableLength: number }) {
    this.#stream = stream;
  }

  /** To be asked with each packet of the broker: whether too much waits for it. */
  get isTooMuch(): boolean {
    const bytes = this.#stream.writableLength;
    const isRead = bytes === 0 || bytes < this.#lastBytes;
    this.#packets = isRead ? 0 : this.#packets + 1;
    this.#lastBytes = bytes;
    return bytes > BYTES_MAX || this.#packets > PACKETS_MAX;
  }
}
