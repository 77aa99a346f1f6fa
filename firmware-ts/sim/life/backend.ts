import { hash } from 'node:crypto';
import { OperatingError } from '#bytes/failure.ts';
import { unwrapPayload } from '#contract/envelope.ts';
import { decodeManifest } from '#contract/manifest.ts';
import { Ranges } from '#contract/ranges.ts';
import type { StreamReport, Verdict } from '#contract/stream-check.ts';
import { Verifier } from '#contract/verify.ts';
import { decodePack } from '#reading/senml-decode.ts';
import type { NamedGap, Output, StreamStanding } from '#store/store.ts';
import { machineZstd } from '#system/zstd.ts';
import type { Named, Obligation } from './account.ts';
import type { BackendName } from './configuration.ts';
import { GRID_OBJECT } from './configuration.ts';
import type { Diary } from './diary.ts';
import { Obligations } from './obligations.ts';

const TOPIC = /^nd\/1\/gw-1\/(up|lv|mf|st|ev)(?:\/([\w-]+))?$/;

/** What may never be read in anything that is said to this back-end. */
const SECRETS: Readonly<Record<BackendName, RegExp>> = {
  utility: /grid|voltage/,
  grid: /utility|bill|gas|alarms/,
};

/** Nobody may know where the chain of a damaged file stood, or the numbers after the manifest. */
const OF_DAMAGED: ReadonlySet<Verdict> = new Set(['open', 'no-manifest', 'unchecked']);

/** Everything that one back-end sees through its brokers, and whether it is what it should be. */
export class SimulatedBackend {
  readonly name: BackendName;
  readonly obligations: Obligations;
  readonly #diary: Diary;
  readonly #verifier = new Verifier({
    sha256: (bytes) => hash('sha256', bytes, 'buffer'),
    compression: machineZstd,
  });
  /** By stream and epoch, of all that was ever named. */
  readonly #epochs = new Map<string, { next: number; readonly gaps: Ranges }>();
  /** Of the store's files, in their order. */
  readonly #order: number[] = [];
  /** Of those set aside; what came in them after their last manifest is open. */
  readonly #damaged = new Set<number>();

  constructor(name: BackendName, diary: Diary) {
    this.name = name;
    this.#diary = diary;
    this.obligations = new Obligations(name, diary, {
      undated: (stream) => stream.startsWith('alarms'),
      isNamed: (stream, epoch, sequence) => this.#epoch(stream, epoch).gaps.has(sequence),
    });
  }

  /** A broker of this back-end has a message. */
  took(topic: string, payload: Uint8Array): void {
    const [, lane, stream] = TOPIC.exec(topic) ?? [];
    this.#diary.note(`taken.${lane ?? 'elsewhere'}`, `${this.name} ${topic} ${payload.length}`);
    try {
      this.#verifier.take(topic, payload);
      if (lane === 'up' || lane === 'lv') this.#data(lane, stream ?? '', payload);
      else this.#said(topic, lane, new TextDecoder().decode(payload));
      if (lane === 'mf') this.#manifest(payload);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.#broken(`${topic} cannot be read: ${error.code}`);
    }
  }

  given(output: Output): Obligation {
    return this.obligations.given(output);
  }

  /** The gateway has told of numbers that will never come. */
  named({ stream, epoch, first, last }: NamedGap): void {
    this.#epoch(stream, epoch).gaps.add(first, last);
  }

  /** Where the store says that its streams stand, now. */
  stands(streams: readonly StreamStanding[]): void {
    for (const { stream, epoch, next, gaps } of streams) {
      const known = this.#epoch(stream, epoch);
      known.next = next;
      for (const { first, last } of gaps) known.gaps.add(first, last);
    }
  }

  /** The store has been opened. */
  opened(epoch: number): void {
    if (this.#order.at(-1) !== epoch) this.#order.push(epoch);
  }

  /** The store's file has been set aside, and another one been begun. */
  damaged(newEpoch: number): void {
    for (const epoch of this.#order) this.#damaged.add(epoch);
    for (const known of this.#epochs.values()) known.next = 0; // what is carried over is told anew
    this.opened(newEpoch);
    this.obligations.damaged();
  }

  /** Nothing is due any more: whether all came or was named, and can be proven. */
  settle(): void {
    const named: Named[] = [];
    for (const [key, { next, gaps }] of this.#epochs) {
      const [stream = '', epoch] = key.split('/');
      const list = gaps.list.map(([first, last]) => ({ first, last }));
      named.push({ stream, epoch: Number(epoch), next, gaps: list });
    }
    this.obligations.settle(named, { order: this.#order, damaged: this.#damaged });
    const { streams, faults } = this.#verifier.report();
    for (const { topic, code } of faults) this.#broken(`${topic} is a fault: ${code}`);
    for (const stream of streams) this.#judge(stream);
  }

  #judge(report: StreamReport): void {
    const { stream, epoch, verdict, holes, unchecked, broken } = report;
    this.#diary.note(`verdict.${verdict}`, `${this.name}/${stream} ${epoch}`);
    const excused = this.#damaged.has(epoch) && OF_DAMAGED.has(verdict);
    if (verdict === 'complete' || excused) return;
    const where = JSON.stringify({ holes, unchecked, broken });
    this.#broken(`${stream} of epoch ${epoch} is ${verdict}: ${where}`);
  }

  #data(lane: 'up' | 'lv', stream: string, payload: Uint8Array): void {
    const plain = unwrapPayload(payload, machineZstd);
    if (this.name === 'grid') this.#confidential(stream, plain);
    this.obligations.came(lane, stream, plain);
  }

  #confidential(stream: string, plain: Uint8Array): void {
    const told = decodePack(plain).records.find(({ object }) => object !== GRID_OBJECT);
    if (!stream.startsWith('meter')) this.#broken(`the stream ${stream} is not for it`);
    if (told !== undefined) this.#broken(`it was told ${told.object}`);
  }

  #said(topic: string, lane: string | undefined, text: string): void {
    const secret = SECRETS[this.name].exec(text)?.[0];
    if (secret !== undefined) this.#broken(`${topic} tells it of '${secret}'`);
    if (lane === undefined) this.#broken(`nobody listens to ${topic}`);
  }

  #manifest(payload: Uint8Array): void {
    for (const { stream, epoch, next, gaps } of decodeManifest(payload).streams) {
      const known = this.#epoch(stream, epoch);
      // One of before the damage may come after it.
      if (!this.#damaged.has(epoch)) known.next = Math.max(known.next, next);
      for (const { from, through } of gaps) known.gaps.add(from, through);
    }
  }

  #epoch(stream: string, epoch: number): { next: number; readonly gaps: Ranges } {
    const key = `${stream}/${epoch}`;
    const known = this.#epochs.get(key);
    if (known !== undefined) return known;
    const anew = { next: 0, gaps: new Ranges() };
    this.#epochs.set(key, anew);
    return anew;
  }

  #broken(what: string): void {
    this.#diary.broken(`${this.name}: ${what}`);
  }
}
