import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import { utf8FromBytes } from '#bytes/text.ts';
import { decodeJsonPack } from '#reading/senml-json.ts';
import type { ContentKey } from '#reading/senml.ts';
import type { Sha256 } from './chain.ts';
import { unwrapPayload } from './envelope.ts';
import type { Compression } from './envelope.ts';
import { KeptRoom } from './kept-room.ts';
import { decodeManifest } from './manifest.ts';
import type { Receipt } from './receipt.ts';
import { formsOfPack } from './records.ts';
import { StreamCheck } from './stream-check.ts';
import type { Lane, StreamReport } from './stream-check.ts';

export interface VerifierOptions {
  readonly sha256: Sha256;
  readonly compression: Compression;
  /**
   * `first-manifest`: what a stream's first manifest counts as delivered is taken as given, for
   * who began to listen later than the gateway to speak. Otherwise each epoch is asked for whole.
   */
  readonly since?: 'epoch' | 'first-manifest';
  /** What waits for manifests, of all streams together; 256 MiB unless given. */
  readonly keptBytesMax?: number;
}

export interface VerifierReport {
  /** Every stream is complete, and nothing that came was unreadable. */
  readonly complete: boolean;
  readonly streams: readonly StreamReport[];
  readonly messages: Readonly<Record<Lane | 'mf' | 'other', number>>;
  /** The first of them; `faultCount` counts all. */
  readonly faults: readonly Fault[];
  readonly faultCount: number;
}

/** A message that could not be read. */
export interface Fault extends Failure {
  readonly topic: string;
  /** Which message it was, counted from 1. */
  readonly place: number;
}

/** A region's meters at ten epochs each; what is beyond is a fault. */
const STREAMS_MAX = 100_000;
const FAULTS_MAX = 100;

const TOPIC = /^nd\/1\/([A-Za-z0-9_-]+)\/(?:(up|lv)\/([A-Za-z0-9_-]+)|(mf)|(?:st|ev|rc))$/;

/**
 * A receiver's half of the contract: takes whatever came from one or more gateways, in any order
 * and repeated, and tells for each stream what came, what is missing, and whether it is what the
 * gateway sent. Its memory is bounded per stream and over all, whatever their length: what there is
 * no room for is hashed at once, or `unchecked` where that is too early. Of an observation that
 * comes twice the first counts, and the second is compared while the first is still at hand.
 */
export class Verifier {
  readonly #options: VerifierOptions;
  readonly #room: KeptRoom;
  readonly #streams = new Map<string, StreamCheck>();
  readonly #messages = { up: 0, lv: 0, mf: 0, other: 0 };
  readonly #faults: Fault[] = [];
  #faultCount = 0;
  #taken = 0;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#room = new KeptRoom(options.keptBytesMax);
  }

  /** Never throws for what was received: what cannot be read is a fault in the report. */
  take(topic: string, payload: Uint8Array): void {
    this.#taken += 1;
    try {
      this.#read(topic, payload);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#fault(topic, failureOf(error));
    }
  }

  /** Counts something that is not even a message, e.g. a line that cannot be read. */
  fault(failure: Failure): void {
    this.#taken += 1;
    this.#fault('', failure);
  }

  #fault(topic: string, failure: Failure): void {
    this.#faultCount += 1;
    if (this.#faults.length >= FAULTS_MAX) return;
    this.#faults.push({ topic, place: this.#taken, ...failure });
  }

  report(): VerifierReport {
    const streams = [...this.#streams.values()].map((stream) => stream.report());
    const good = streams.length > 0 && streams.every(({ verdict }) => verdict === 'complete');
    return {
      complete: good && this.#faultCount === 0,
      streams,
      messages: { ...this.#messages },
      faults: [...this.#faults],
      faultCount: this.#faultCount,
    };
  }

  /** For a back-end that has stored all that it handed in here. */
  receipt(gateway: string): Receipt {
    const mine = [...this.#streams].filter(([key]) => key.startsWith(`${gateway}/`));
    return { version: 1, streams: mine.map(([, stream]) => stream.receipt()) };
  }

  #read(topic: string, payload: Uint8Array): void {
    const parts = TOPIC.exec(topic);
    const [, gateway = '', lane, stream = '', manifest] = parts ?? [];
    if (manifest !== undefined) this.#readManifest(gateway, payload);
    else if (lane === 'up' || lane === 'lv') this.#readData(lane, gateway, stream, payload);
    else this.#messages.other += 1;
  }

  #readData(lane: Lane, gateway: string, stream: string, payload: Uint8Array): void {
    this.#messages[lane] += 1;
    const { key, forms } = dataOf(unwrapPayload(payload, this.#options.compression));
    if (key.gateway !== gateway || key.stream !== stream) {
      throw new OperatingError('wrong-topic', `it is of ${key.gateway}/${key.stream}`);
    }
    const check = this.#streamOf(key);
    if (!check.take(lane, key.sequence, key.count, forms)) {
      throw new OperatingError('too-many-pieces', 'the stream has too many holes to follow');
    }
  }

  #readManifest(gateway: string, payload: Uint8Array): void {
    this.#messages.mf += 1;
    const manifest = decodeManifest(payload);
    if (manifest.gateway !== gateway) {
      throw new OperatingError('wrong-topic', `it is of ${manifest.gateway}`);
    }
    const given = this.#options.since === 'first-manifest';
    let passedOver: string | undefined;
    for (const state of manifest.streams) {
      const { stream, epoch } = state;
      const check = this.#streamOf({ gateway, stream, epoch });
      if (!check.manifest(manifest, state, given)) passedOver ??= stream;
    }
    if (passedOver !== undefined) {
      throw new OperatingError('too-many-gaps', `${passedOver} has too many gaps to follow`);
    }
  }

  #streamOf({ gateway, stream, epoch }: Pick<ContentKey, 'gateway' | 'stream' | 'epoch'>) {
    const key = `${gateway}/${stream}/${epoch}`;
    const known = this.#streams.get(key);
    if (known !== undefined) return known;
    if (this.#streams.size >= STREAMS_MAX) {
      throw new OperatingError('too-many-streams', `over ${STREAMS_MAX}`);
    }
    const check = new StreamCheck({ gateway, stream, epoch }, this.#options.sha256, this.#room);
    this.#streams.set(key, check);
    return check;
  }
}

const JSON_ARRAY = 0x5b; // [

/** JSON has the numbers but not the bytes that the chain is computed over. */
function dataOf(payload: Uint8Array): {
  readonly key: ContentKey;
  readonly forms?: readonly Uint8Array[];
} {
  if (payload[0] !== JSON_ARRAY) return formsOfPack(payload);
  const { key, records } = decodeJsonPack(utf8FromBytes(payload));
  if (key === undefined) throw new OperatingError('bad-key', 'no content key', { field: 'k' });
  if (key.count > records.length) throw new OperatingError('bad-count', 'over its records');
  return { key };
}
