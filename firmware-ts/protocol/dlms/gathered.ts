import { OperatingError } from '#bytes/failure.ts';
import { joined } from './octets.ts';

/** A value of several blocks that is kept whole is refused beyond this. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/** Bytes of several blocks, put together; bounded. */
export class Gathered {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Nothing has to be asked for it. Errors: `too-long`. */
  add(bytes: Uint8Array): undefined {
    this.#length += bytes.length;
    if (this.#length > ANSWER_BYTES_MAX) {
      throw new OperatingError('too-long', `an answer of more than ${ANSWER_BYTES_MAX} bytes`, {
        hint: 'read it in parts: by range, by entries, or as a profile',
      });
    }
    if (bytes.length > 0) this.#parts.push(bytes.slice());
  }

  whole(): Uint8Array {
    return joined(...this.#parts);
  }
}
