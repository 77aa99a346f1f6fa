/** How long the peer may take; milliseconds. */
export interface PatienceLimits {
  /** From the end of what was sent to the first sign of an answer. */
  readonly responseMs: number;
  /** The longest pause inside a frame (inter-octet time-out). */
  readonly interOctetMs: number;
  /** How long one octet takes on the line; 0 where it is not known. */
  readonly octetMs: number;
}

/** Without a frame that makes sense, noise may put the end of waiting off so many times. */
const NOISE_FACTOR = 4;

/** The wait for one answer: it begins when what was asked is out, and any sound prolongs it. */
export class Patience {
  readonly #limits: PatienceLimits;
  #sentAt = 0;
  #heardAt = 0;
  #garbled = false;

  constructor(limits: PatienceLimits) {
    this.#limits = limits;
  }

  /** When nothing more is to be expected. */
  get deadline(): number {
    const { responseMs, interOctetMs } = this.#limits;
    // A damaged answer is followed by silence: there is no more to wait for.
    if (this.#garbled) return this.#heardAt + interOctetMs;
    const latest = this.#sentAt + NOISE_FACTOR * responseMs;
    return Math.min(Math.max(this.#sentAt, this.#heardAt) + responseMs, latest);
  }

  asked(at: number, octets: number): void {
    this.#sentAt = at + octets * this.#limits.octetMs;
    this.#heardAt = at;
    this.#garbled = false;
  }

  heard(at: number): void {
    this.#heardAt = at;
  }

  /** A frame of the peer: what it began it will finish. */
  understood(at: number): void {
    this.#sentAt = Math.max(this.#sentAt, at);
    this.#heardAt = at;
    this.#garbled = false;
  }

  /** Something like a frame came damaged. */
  garbled(): void {
    this.#garbled = true;
  }
}
