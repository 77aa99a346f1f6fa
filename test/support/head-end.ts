import { failureOf } from '#bytes/failure.ts';
import { MANIFEST_BYTES_MAX } from '#contract/manifest.ts';
import { Verifier } from '#contract/verify.ts';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import { encodePack } from '#reading/senml.ts';
import type { DueEntry, StreamStanding } from '#store/store.ts';
import { machineZstd } from '#system/zstd.ts';
import { tellingOf } from '#uplink/manifest-gaps.ts';
import { ManifestRound } from '#uplink/manifest-round.ts';
import { sha256 } from './contract.ts';
import { BACKEND, type OwingStore } from './owing-store.ts';

const GATEWAY = 'gw-1';
const AT = '2027-01-15T08:00:00Z';

interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/** What is refused because the file turned out damaged is tried again on its successor. */
export async function mended<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let damages = 1; ; damages += 1) {
    try {
      return await run();
    } catch (error) {
      if (failureOf(error).code !== 'store-damaged' || damages > 2) throw error;
    }
  }
}

/** A back-end, and the uplink to it: takes what is due, acknowledges, and checks the manifests. */
export class HeadEnd {
  readonly messages: Message[];
  /** Of each key as often as it came: the records under it. */
  readonly received = new Map<string, Buffer[]>();

  /** `before`: what came in an earlier life. */
  constructor(before: readonly Message[] = []) {
    this.messages = [...before];
  }

  /** Until nothing is due; a file that turns out damaged on the way is replaced by the store. */
  async drain(world: OwingStore): Promise<void> {
    for (const of of DELIVERY_CLASSES) {
      for (;;) {
        const due = await mended(() => world.due(of));
        if (due.length === 0) break;
        await this.take(world, due);
      }
    }
  }

  async take(world: OwingStore, due: readonly DueEntry[], awaitReceipt = false): Promise<void> {
    this.hear(due);
    await mended(() => world.acknowledge(due, awaitReceipt));
  }

  /** These come; of that the gateway hears nothing. */
  hear(due: readonly DueEntry[]): void {
    for (const entry of due) {
      const { stream, epoch, sequence, count } = entry;
      const key = { gateway: GATEWAY, stream, epoch, sequence, count };
      const payload = encodePack(key, [entry]);
      this.messages.push({ topic: `nd/1/${GATEWAY}/up/${stream}`, payload });
      const name = `${stream} ${epoch} ${sequence}`;
      const known = this.received.get(name) ?? [];
      this.received.set(name, [...known, Buffer.from(entry.records)]);
    }
  }

  /** Manifests until all is named; each of at most `bytesMax`. */
  async manifest(
    { store }: OwingStore,
    bytesMax = MANIFEST_BYTES_MAX,
  ): Promise<readonly StreamStanding[]> {
    const round = new ManifestRound();
    for (;;) {
      const standing = await mended(() => store.standing(BACKEND));
      const left = round.leftOf(standing);
      const telling = tellingOf({ gateway: GATEWAY, at: AT }, left, bytesMax);
      const { text, gaps, more } = telling;
      this.messages.push({ topic: `nd/1/${GATEWAY}/mf`, payload: Buffer.from(text) });
      await mended(() => store.told(BACKEND, gaps));
      if (!more) return standing.streams;
      round.heard(telling);
    }
  }

  report() {
    const verifier = new Verifier({ sha256, compression: machineZstd });
    for (const { topic, payload } of this.messages) verifier.take(topic, payload);
    return verifier.report();
  }
}
