/** A region's gateways send less than this between two manifests; a receiver has it in memory. */
const KEPT_BYTES_MAX = 256 << 20;

/** What all streams of a receiver may keep together until their manifests come. */
export class KeptRoom {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number = KEPT_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  get isFull(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  /** Takes room, or gives some back where `bytes` is negative. */
  take(bytes: number): void {
    this.#bytes += bytes;
  }
}
