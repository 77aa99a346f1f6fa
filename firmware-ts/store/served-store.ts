import type { Failure } from '#bytes/failure.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { Caller } from './caller.ts';
import { assertAppend } from './check.ts';
import type { CommitterParts } from './committer.ts';
import { Committer } from './committer.ts';
import { HeldTraffic } from './held-traffic.ts';
import type { Acknowledged, Batch, LanePlace, Now, OwedBy, Received } from './messages.ts';
import type { Acknowledgement, Append, DueEntry, Kept, NamedGap, Opening } from './store.ts';
import type {
  DayTraffic,
  DueName,
  Owed,
  Quarantined,
  Receipt,
  SetAside,
  Standing,
  Store,
  StoreCounts,
  StreamStanding,
  ToldGap,
} from './store.ts';

/** Rows that one page answers at most; its bytes are bounded too (`ledger.ts`). */
const PAGE_ROWS_MAX = 10_000;

/** The port, before a caller: gathers what can share a transaction, and wakes who listens. */
export class ServedStore implements Store {
  opening: Opening;
  readonly #caller: Caller;
  readonly #committer: Committer;
  readonly #now: () => Now;
  readonly #wakes = new Map<string, Set<(owed: Owed) => void>>();
  readonly #reports = new Set<(setAside: SetAside) => void>();
  readonly #gapReports = new Set<(gap: NamedGap) => void>();
  readonly #holders = new Set<() => Acknowledged>();
  readonly #traffic = new HeldTraffic();
  #closing: Promise<void> | undefined;

  constructor(caller: Caller, parts: Omit<CommitterParts, 'commit'>, opening: Opening) {
    this.opening = opening;
    this.#caller = caller;
    this.#now = parts.now;
    const commit = async (batch: Batch): Promise<void> => {
      const delivered = Array.from(this.#holders, (held) => held());
      const traffic = this.#traffic.take(batch.now);
      this.#wake(await caller.call('commit', { ...batch, delivered, traffic }, [batch.bytes]));
    };
    this.#committer = new Committer({ ...parts, commit });
    caller.onSetAside = (anew) => {
      this.opening = anew;
      for (const report of this.#reports) if (anew.setAside !== undefined) report(anew.setAside);
    };
    caller.onNamed = (gaps) => {
      for (const gap of gaps) for (const report of this.#gapReports) report(gap);
    };
  }

  async append(append: Append): Promise<void> {
    assertAppend(append);
    this.#assertOpen();
    return this.#committer.append(append);
  }

  async appendAll(appends: readonly Append[]): Promise<void> {
    for (const append of appends) assertAppend(append);
    this.#assertOpen();
    return this.#committer.appendAll(appends);
  }

  async acknowledge(
    backend: string,
    ids: readonly number[],
    { awaitReceipt }: Acknowledgement = { awaitReceipt: false },
  ): Promise<void> {
    this.#assertOpen();
    return this.#committer.acknowledge({ backend, ids, awaitReceipt });
  }

  holdDelivered(
    backend: string,
    held: () => readonly number[],
    { awaitReceipt }: Acknowledgement,
  ): () => void {
    const holder = (): Acknowledged => ({ backend, ids: held(), awaitReceipt });
    this.#holders.add(holder);
    return () => this.#holders.delete(holder);
  }

  async traffic(backend: string): Promise<readonly DayTraffic[]> {
    this.#assertOpen();
    return this.#caller.call('traffic', backend);
  }

  holdTraffic(backend: string, days: () => readonly DayTraffic[]): () => void {
    return this.#traffic.hold(backend, days);
  }

  async flush(): Promise<void> {
    await this.#committer.flush();
  }

  async due(
    backend: string,
    of: DeliveryClass,
    afterId: number,
    limit: number,
  ): Promise<readonly DueEntry[]> {
    this.#assertOpen();
    return this.#caller.call('due', {
      ...page(backend, afterId, limit),
      class: of,
      now: this.#now(),
    });
  }

  async peek(
    backend: string,
    of: DeliveryClass,
    afterId: number,
    limit: number,
  ): Promise<readonly DueName[]> {
    this.#assertOpen();
    return this.#caller.call('peek', { ...page(backend, afterId, limit), class: of });
  }

  async quarantine(backend: string, id: number, failure: Failure): Promise<void> {
    this.#assertOpen();
    await this.#caller.call('quarantine', { backend, id, failure, now: this.#now() });
  }

  async quarantined(backend: string, id?: number): Promise<readonly Quarantined[]> {
    this.#assertOpen();
    return this.#caller.call('quarantined', { backend, id });
  }

  async entry(backend: string, id: number): Promise<DueEntry | undefined> {
    this.#assertOpen();
    return this.#caller.call('entry', { backend, id });
  }

  async resend(backend: string, id: number): Promise<boolean> {
    this.#assertOpen();
    const owed = await this.#caller.call('resend', { backend, id, now: this.#now() });
    this.#wake(owed ?? {});
    return owed !== undefined;
  }

  async discard(backend: string, id: number): Promise<boolean> {
    this.#assertOpen();
    return this.#caller.call('discard', { backend, id, now: this.#now() });
  }

  async receive(backend: string, receipts: readonly Receipt[]): Promise<void> {
    for (let from: LanePlace | undefined = { lane: 0, afterId: 0 }; from !== undefined;) {
      this.#assertOpen();
      const now = this.#now();
      const part: Received = await this.#caller.call('receive', { backend, receipts, from, now });
      this.#wake({ [backend]: part.owed });
      from = part.next;
    }
  }

  async standing(backend: string): Promise<Standing> {
    this.#assertOpen();
    await this.#committer.flush(); // it writes anyway, and tells of what is noted
    return this.#caller.call('standing', { backend, now: this.#now() });
  }

  async told(backend: string, gaps: readonly ToldGap[]): Promise<void> {
    this.#assertOpen();
    await this.#caller.call('told', { backend, gaps, now: this.#now() });
  }

  async streams(backend: string): Promise<readonly StreamStanding[]> {
    this.#assertOpen();
    return this.#caller.call('streams', backend);
  }

  async observations(source: string, afterId: number, limit: number): Promise<readonly Kept[]> {
    this.#assertOpen();
    return this.#caller.call('observations', page(source, afterId, limit));
  }

  async newest(source: string, limit: number): Promise<readonly Kept[]> {
    this.#assertOpen();
    const { name, limit: most } = page(source, 0, limit);
    return this.#caller.call('observations', { name, limit: most });
  }

  async believe(): Promise<void> {
    this.#assertOpen();
    await this.#caller.call('believe', { now: this.#now() });
  }

  async counts(): Promise<StoreCounts> {
    this.#assertOpen();
    return this.#caller.call('counts', undefined);
  }

  get died(): Promise<Failure> {
    return this.#caller.died;
  }

  onDue(backend: string, wake: (owed: Owed) => void): () => void {
    const wakes = this.#wakes.get(backend) ?? new Set();
    this.#wakes.set(backend, wakes.add(wake));
    return () => wakes.delete(wake);
  }

  onGap(report: (gap: NamedGap) => void): () => void {
    this.#gapReports.add(report);
    return () => this.#gapReports.delete(report);
  }

  onSetAside(report: (setAside: SetAside) => void): () => void {
    this.#reports.add(report);
    return () => this.#reports.delete(report);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#committer.close();
    await this.#caller.call('close', undefined);
    await this.#caller.exited;
  }

  /** In a turn of its own: a listener that throws must not make a kept batch look refused. */
  #wake(by: OwedBy): void {
    queueMicrotask(() => {
      for (const [backend, owed] of Object.entries(by)) {
        for (const wake of this.#wakes.get(backend) ?? []) wake(owed);
      }
    });
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new OperatingError('store-closed', 'it is closing');
  }
}

function page(name: string, afterId: number, limit: number) {
  return { name, afterId, limit: Math.min(limit, PAGE_ROWS_MAX) };
}
