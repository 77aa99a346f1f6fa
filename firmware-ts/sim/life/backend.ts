import { hash } from 'node:crypto';
import { OperatingError } from '#bytes/failure.ts';
import { unwrapPayload } from '#contract/envelope.ts';
import { decodeManifest } from '#contract/manifest.ts';
import { Ranges } from '#contract/ranges.ts';
import { formsOfPack } from '#contract/records.ts';
import { encodeReceipt } from '#contract/receipt.ts';
import type { StreamReport, Verdict } from '#contract/stream-check.ts';
import { Verifier } from '#contract/verify.ts';
import { decodePack } from '#reading/senml-decode.ts';
import type { ContentKey } from '#reading/senml.ts';
import type { DueEntry, NamedGap, Output, StreamStanding } from '#store/store.ts';
import { machineZstd } from '#system/zstd.ts';
import type { Named, Obligation } from './account.ts';
import type { BackendName } from './configuration.ts';
import { GRID_OBJECT } from './configuration.ts';
import type { Diary } from './diary.ts';
import { Losses } from './losses.ts';
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
  readonly #losses: Losses;
  /** By stream and epoch: a broker that refuses these may take others that are behind them. */
  readonly #refused = new Map<string, Ranges>();

  constructor(name: BackendName, diary: Diary) {
    this.name = name;
    this.#diary = diary;
    this.#losses = new Losses(name, diary);
    this.obligations = new Obligations(name, diary, {
      undated: (stream) => stream.startsWith('alarms'),
      mayBeLate: (stream, epoch, sequence) =>
        this.#epoch(stream, epoch).gaps.has(sequence) ||
        this.#losses.has(stream, epoch, sequence) ||
        this.#refusedOf(stream, epoch).has(sequence),
    });
  }

  /** A broker of this back-end has a message. */
  took(topic: string, payload: Uint8Array): void {
    const [, lane, stream] = TOPIC.exec(topic) ?? [];
    this.#diary.note(`taken.${lane ?? 'elsewhere'}`, `${this.name} ${topic} ${payload.length}`);
    if (lane === 'ev') this.#diary.note(`event.${eventIn(payload)}`, this.name);
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

  /** The broker does not take it, which is the one exception to the order (decision 0004). */
  refused(topic: string, payload: Uint8Array): void {
    const [, lane, stream = ''] = TOPIC.exec(topic) ?? [];
    if (lane !== 'up') return;
    const { epoch, sequence, count } = formsOfPack(unwrapPayload(payload, machineZstd)).key;
    this.#refusedOf(stream, epoch).add(sequence, sequence + count - 1);
  }

  /** The broker has it, and the back-end will never see it unless it is sent again. */
  loses(topic: string, payload: Uint8Array): void {
    const plain = unwrapPayload(payload, machineZstd);
    const [, , stream = ''] = TOPIC.exec(topic) ?? [];
    const { epoch, sequence: first, count } = this.obligations.heard(stream, plain);
    const last = first + count - 1;
    this.#diary.note('receipt.lost', `${this.name}/${stream} ${first}-${last}`);
    const { contents, copies } = this.obligations.lifeOf(stream, epoch);
    this.#losses.lose({ stream, epoch, first, last }, (sequence) => contents.has(sequence));
    this.#losses.forgo((lost) => lost.stream === stream && copies.has(lost.sequence));
  }

  /** What was lost need not come again: of a stream's numbers, or of all. */
  forgo(numbers?: Pick<DueEntry, 'stream' | 'epoch' | 'sequence' | 'count'>): void {
    if (numbers === undefined) this.#losses.forgo();
    else this.#losses.forgo((lost) => isOf(numbers, lost));
  }

  /** What it has, as it tells the gateway. */
  receipt(): string {
    return encodeReceipt(this.#verifier.receipt('gw-1'));
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
    this.#losses.forgo();
  }

  /** Nothing is due any more: whether all came or was named, and can be proven. */
  settle(): void {
    const missing = this.#losses.missing(this.obligations.streams);
    if (missing !== undefined) {
      const { stream, sequence } = missing;
      this.#broken(`${stream} ${sequence} was missing in receipts and did not come again`);
    }
    this.#losses.forgo(); // what nothing came after is no hole
    const named: Named[] = [];
    for (const [key, { next, gaps }] of this.#epochs) {
      const [stream = '', epoch] = key.split('/');
      const forgone = this.#losses.forgoneOf(stream, Number(epoch));
      const list = [...gaps.list, ...forgone.list].map(([first, last]) => ({ first, last }));
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
    if (verdict === 'complete' || excused || this.#isOfLosses(report)) return;
    const where = JSON.stringify({ holes, unchecked, broken });
    this.#broken(`${stream} of epoch ${epoch} is ${verdict}: ${where}`);
  }

  /** What it lost itself is missing, and what came again late cannot be proven. */
  #isOfLosses({ stream, epoch, verdict, holes }: StreamReport): boolean {
    const forgone = this.#losses.forgoneOf(stream, epoch);
    if (verdict === 'missing') {
      return holes.every(([first, last]) => forgone.missing(first, last).length === 0);
    }
    return verdict === 'unchecked' && this.#losses.had(stream, epoch);
  }

  #data(lane: 'up' | 'lv', stream: string, payload: Uint8Array): void {
    const plain = unwrapPayload(payload, machineZstd);
    if (this.name === 'grid') this.#confidential(stream, plain);
    const { epoch, sequence: first, count } = this.obligations.came(lane, stream, plain);
    const numbers = { stream, epoch, first, last: first + count - 1 };
    this.#losses.came(numbers, lane);
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

  #refusedOf(stream: string, epoch: number): Ranges {
    const key = `${stream}/${epoch}`;
    const known = this.#refused.get(key) ?? new Ranges();
    this.#refused.set(key, known);
    return known;
  }

  #broken(what: string): void {
    this.#diary.broken(`${this.name}: ${what}`);
  }
}

function eventIn(payload: Uint8Array): string {
  return /"event":"([a-z-]+)"/.exec(new TextDecoder().decode(payload))?.[1] ?? 'unknown';
}

function isOf(
  { stream, epoch, sequence, count }: Pick<DueEntry, 'stream' | 'epoch' | 'sequence' | 'count'>,
  lost: Pick<ContentKey, 'stream' | 'epoch' | 'sequence'>,
): boolean {
  const at = lost.sequence - sequence;
  return lost.stream === stream && lost.epoch === epoch && at >= 0 && at < count;
}
