import { failureOf } from '#bytes/failure.ts';
import { MANIFEST_BYTES_MAX } from '#contract/manifest.ts';
import type { Store } from '#store/store.ts';
import { wallMs, type Clock } from '#system/clock.ts';
import type { Log } from '#system/log.ts';
import { type Telling, isoOf, tellingOf } from './manifest-gaps.ts';
import type { Message, Session } from './session.ts';

/** Topic and header of the packet around the manifest. */
const MARGIN_BYTES = 160;

export interface ManifestsParts {
  readonly backend: string;
  readonly gateway: string;
  readonly topic: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * What a back-end is told of its streams (decision 0006). Each time the store is asked it counts,
 * so that it is asked only when something has changed and a manifest will be sent.
 */
export class Manifests {
  readonly #parts: ManifestsParts;
  readonly #unsubscribe: () => void;
  #changed = true;
  #heard = true;

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

  /**
   * The broker has it. Answers whether gaps are left that no manifest has named, so that the next
   * one is due at once.
   */
  async heard({ gaps, more }: Telling): Promise<boolean> {
    this.#heard = true;
    this.#changed ||= more;
    if (gaps.length === 0) return false;
    const { store, backend, log } = this.#parts;
    try {
      await store.told(backend, gaps);
      return more;
    } catch (error) {
      const { code, message } = failureOf(error);
      log('warning', 'uplink.no-manifest', { backend, code, message });
      return false; // they are told once more with the next one
    }
  }

  /** The next one; `undefined` when the last was heard and nothing has changed, or it fails. */
  async next({ packetBytesMax }: Session): Promise<Manifested | undefined> {
    if (!this.#changed && this.#heard) return undefined;
    this.#changed = false;
    this.#heard = false;
    const { store, backend, gateway, topic, clock, log } = this.#parts;
    try {
      const standing = await store.standing(backend);
      const bytesMax = Math.min(MANIFEST_BYTES_MAX, packetBytesMax - MARGIN_BYTES);
      const telling = tellingOf({ gateway, at: isoOf(wallMs(clock)) }, standing, bytesMax);
      return { message: { topic, payload: telling.text }, telling };
    } catch (error) {
      this.#changed = true;
      const { code, message } = failureOf(error);
      log('warning', 'uplink.no-manifest', { backend, code, message });
      return undefined;
    }
  }
}

export interface Manifested {
  readonly message: Message;
  readonly telling: Telling;
}
