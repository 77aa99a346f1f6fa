import { toHex } from '#bytes/hex.ts';
import { failureOf } from '#bytes/failure.ts';
import { encodeManifest, MANIFEST_BYTES_MAX, type StreamState } from '#contract/manifest.ts';
import type { Store, StreamStanding } from '#store/store.ts';
import { wallMs, type Clock } from '#system/clock.ts';
import type { Log } from '#system/log.ts';
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

  /** The broker has the last one. */
  heard(): void {
    this.#heard = true;
  }

  /** The next one; `undefined` when the last was heard and nothing has changed, or it fails. */
  async next({ packetBytesMax }: Session): Promise<Message | undefined> {
    if (!this.#changed && this.#heard) return undefined;
    this.#changed = false;
    this.#heard = false;
    const { store, backend, gateway, topic, clock, log } = this.#parts;
    try {
      const { number, streams } = await store.standing(backend);
      const at = isoOf(wallMs(clock));
      const gapsOmitted = streams.reduce((sum, stream) => sum + stream.gapsOmitted, 0);
      const told = { gateway, at, number, streams: streams.map(stateOf) };
      const manifest = {
        version: 1,
        ...told,
        ...(gapsOmitted === 0 ? {} : { gapsOmitted }),
      } as const;
      const bytesMax = Math.min(MANIFEST_BYTES_MAX, packetBytesMax - MARGIN_BYTES);
      return { topic, payload: encodeManifest(manifest, bytesMax) };
    } catch (error) {
      this.#changed = true;
      const { code, message } = failureOf(error);
      log('warning', 'uplink.no-manifest', { backend, code, message });
      return undefined;
    }
  }
}

function stateOf(standing: StreamStanding): StreamState {
  const { stream, class: of, epoch, through, chain, next, gaps } = standing;
  return {
    stream,
    class: of,
    epoch,
    through,
    ...(chain === undefined ? {} : { chain: toHex(chain) }),
    next,
    gaps: gaps.map(({ first, last, reason, wallMs }) => ({
      from: first,
      through: last,
      reason,
      ...(wallMs === undefined ? {} : { at: isoOf(wallMs) }),
    })),
  };
}

function isoOf(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
