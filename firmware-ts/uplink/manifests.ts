import { failureOf, OperatingError, type Failure } from '#bytes/failure.ts';
import type { Store, StreamStanding } from '#store/store.ts';
import { wallMs, type Clock } from '#system/clock.ts';
import type { Log } from '#system/log.ts';
import { type Telling, isoOf, tellingOf } from './manifest-gaps.ts';
import { ManifestRound } from './manifest-round.ts';
import { PUBLISH_OVERHEAD_BYTES } from './packet.ts';
import type { Message } from './session.ts';

/** A broker that refuses even so little as too large is not asked to take less. */
const BYTES_LEAST = 1024;

export interface ManifestsParts {
  readonly backend: string;
  readonly gateway: string;
  readonly topic: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the broker has something of which the store does not know yet. */
  readonly undurable: () => boolean;
}

/**
 * What a back-end is told of its streams (decision 0006). Each time the store is asked it counts,
 * so that it is asked only when something has changed and a manifest will be sent.
 */
export class Manifests {
  readonly #parts: ManifestsParts;
  readonly #unsubscribe: () => void;
  readonly #round = new ManifestRound();
  #changed = true;
  #heard = true;
  /** What a broker that tells no limit has refused is not tried again. */
  #bytesMax = Infinity;

  constructor(parts: ManifestsParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.store.onGap(({ backend }) => {
      if (backend === parts.backend) this.change();
    });
  }

  end(): void {
    this.#unsubscribe();
  }

  /** Something was delivered, or will never be. */
  change(): void {
    this.#changed = true;
  }

  /** The next one names all streams, and not what the last one had no place for. */
  begin(): void {
    this.#changed ||= this.#round.underWay;
    this.#round.end();
  }

  /**
   * The broker has it. Answers whether streams, or gaps that no manifest has named, are left, so
   * that the next one is due at once.
   */
  async heard(telling: Telling): Promise<boolean> {
    const { gaps, more } = telling;
    this.#heard = true;
    this.#round.heard(telling);
    if (gaps.length === 0) return more;
    const { store, backend } = this.#parts;
    try {
      await store.told(backend, gaps);
      return more;
    } catch (error) {
      this.#lacks(error);
      return false; // they are told once more with the next one
    }
  }

  /** The broker does not take it. Answers whether less of it is to be tried at once. */
  refused({ code }: Failure, { text }: Telling): boolean {
    if (code !== 'packet-too-large') return false;
    this.#bytesMax = Math.max(BYTES_LEAST, text.length >>> 1);
    return text.length > BYTES_LEAST;
  }

  /**
   * The next one, as a packet of at most `packetBytesMax`; `undefined` when the last was heard and
   * nothing has changed, or it fails.
   */
  async next(packetBytesMax: number): Promise<Manifested | undefined> {
    const { underWay } = this.#round;
    if (!this.#changed && this.#heard && !underWay) return undefined;
    this.#changed &&= underWay; // what it has named already may have changed since
    this.#heard = false;
    const { store, backend, gateway, topic, clock } = this.#parts;
    try {
      const standing = this.#round.leftOf(await store.standing(backend));
      this.#changed ||= this.#parts.undurable();
      const roomBytes = packetBytesMax - topic.length - PUBLISH_OVERHEAD_BYTES;
      const bytesMax = Math.min(this.#bytesMax, roomBytes);
      const telling = tellingOf({ gateway, at: isoOf(wallMs(clock)) }, standing, bytesMax);
      const [unfit] = telling.unfit;
      if (unfit !== undefined) this.#lacks(tooLarge(unfit, bytesMax));
      return { message: { topic, payload: telling.text }, telling };
    } catch (error) {
      this.#changed = true;
      this.#lacks(error);
      return undefined;
    }
  }

  #lacks(error: unknown): void {
    const { backend, log } = this.#parts;
    const { code, message } = failureOf(error);
    log('warning', 'uplink.no-manifest', { backend, code, message });
  }
}

function tooLarge({ stream }: StreamStanding, bytesMax: number): OperatingError {
  return new OperatingError('too-large', `${stream} by itself has over ${bytesMax} bytes`);
}

export interface Manifested {
  readonly message: Message;
  readonly telling: Telling;
}
