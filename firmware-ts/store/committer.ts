import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import { Group } from './group.ts';
import type { Acknowledged, Batch, Now, Skipped } from './messages.ts';
import type { Append } from './store.ts';

/**
 * Acknowledgements alone wait so many times as long, so that they cost no commit of their own while
 * appends come: what a death takes of them is only sent again.
 */
const ACKNOWLEDGED_DELAYS = 10;

/** What may wait in memory for a slow disk: minutes of meters, seconds of many PMUs. */
export const WAITING_BYTES_MAX = 32 << 20;

export interface CommitterParts {
  readonly clock: Clock;
  readonly now: () => Now;
  /** An append waits at most this long for others to share its fsync, unless it is urgent. */
  readonly delayMs: number;
  /** Observations that one entry of the outbox may hold, where not as many as are good. */
  readonly runCountMax?: number | undefined;
  readonly commit: (batch: Batch) => Promise<void>;
}

/**
 * Group commit: gathers appends and acknowledgements into one transaction, and has one at the disk
 * at a time. While an fsync is slow the next group grows, so that the rate does not fall with it.
 */
export class Committer {
  readonly #clock: Clock;
  readonly #now: () => Now;
  readonly #delayMs: number;
  readonly #runCountMax: number | undefined;
  readonly #commit: (batch: Batch) => Promise<void>;
  /** Numbers that refused appends would have taken; the next batch that fits names them. */
  readonly #skipped = new Map<string, Skipped>();
  /** Those not yet sent, oldest first; the last one takes more until it is full. */
  readonly #groups: Group[] = [];
  #waitingBytes = 0;
  #atDisk: Promise<void> | undefined;
  /** When the first group goes at the latest. */
  #deadline: { readonly atMs: number; readonly cancel: () => void } | undefined;
  #overdue = false;

  constructor({ clock, now, delayMs, runCountMax, commit }: CommitterParts) {
    this.#clock = clock;
    this.#runCountMax = runCountMax;
    this.#now = now;
    this.#delayMs = delayMs;
    this.#commit = commit;
  }

  append(append: Append): Promise<void> {
    if (this.#waitingBytes >= WAITING_BYTES_MAX) return Promise.reject(this.#busy());
    return this.#add((group) => group.append(append));
  }

  /** One group is one transaction; a full one takes what is added to it at once. */
  appendAll(appends: readonly Append[]): Promise<void> {
    if (this.#waitingBytes >= WAITING_BYTES_MAX) return Promise.reject(this.#busy());
    return this.#add(async (group) => {
      await Promise.all(appends.map((append) => group.append(append)));
    });
  }

  #busy(): OperatingError {
    return new OperatingError('store-busy', `${this.#waitingBytes} bytes wait for the disk`);
  }

  /** Never refused: it is small, and makes room. */
  acknowledge(acknowledged: Acknowledged): Promise<void> {
    return this.#add((group) => group.acknowledge(acknowledged));
  }

  /** Sends what waits, without delay; resolves when all of it is settled, kept or refused. */
  async flush(): Promise<void> {
    const last = this.#groups.at(-1);
    last?.hurry();
    this.#next();
    while (last !== undefined && this.#groups.includes(last)) await this.#atDisk;
    await this.#atDisk;
  }

  /** Sends what waits, then names what was refused: nobody knows of it after this. */
  async close(): Promise<void> {
    await this.flush();
    const skipped = [...this.#skipped.values()];
    if (skipped.length === 0) return;
    const named = this.#commit(new Group().seal(this.#now(), skipped));
    // Where not even that can be written: it was refused with a code, and promised to nobody.
    await named.catch(() => undefined);
  }

  #add(put: (group: Group) => Promise<void>): Promise<void> {
    let group = this.#groups.at(-1);
    if (group === undefined || group.full) {
      group = new Group(this.#runCountMax);
      this.#groups.push(group);
    }
    const before = group.bytes;
    const durable = put(group);
    this.#waitingBytes += group.bytes - before;
    if (!group.urgent) this.#next();
    else queueMicrotask(() => this.#next()); // what is appended in this very turn goes with it
    return durable;
  }

  #next(): void {
    const group = this.#groups[0];
    if (group === undefined) return;
    this.#wait(group.appends ? this.#delayMs : this.#delayMs * ACKNOWLEDGED_DELAYS);
    if (this.#atDisk !== undefined) return;
    // What came before something urgent goes before it: numbers are given in this order.
    const urgent = this.#groups.some((one) => one.urgent);
    const due = this.#overdue || this.#delayMs === 0 || urgent || group.full;
    if (due) this.#send(group);
  }

  #wait(delayMs: number): void {
    const atMs = this.#clock.monotonic() + delayMs;
    if (this.#deadline !== undefined && this.#deadline.atMs <= atMs) return;
    this.#deadline?.cancel();
    const cancel = this.#clock.after(delayMs, () => {
      this.#overdue = true;
      this.#next();
    });
    this.#deadline = { atMs, cancel };
  }

  #send(group: Group): void {
    this.#groups.shift();
    this.#deadline?.cancel();
    this.#deadline = undefined;
    this.#overdue = false;
    const { bytes } = group;
    this.#atDisk = this.#settle(group).then(() => {
      this.#waitingBytes -= bytes;
      this.#atDisk = undefined;
      this.#next();
    });
  }

  async #settle(group: Group): Promise<void> {
    const { owed } = group;
    try {
      // Acknowledgements alone fit where names of gaps may not.
      const skipped = owed.length > 0 ? [...this.#skipped.values()] : [];
      await this.#commit(group.seal(this.#now(), skipped));
      if (skipped.length > 0) this.#skipped.clear();
      group.resolve();
    } catch (error) {
      const noRoom = NO_ROOM.includes(failureOf(error).code);
      for (const skipped of noRoom ? owed : []) this.#skip(skipped);
      if (noRoom && group.mixed) await this.#acknowledgeAlone(group, error);
      else group.reject(error);
    }
  }

  #skip(skipped: Skipped): void {
    const name = `${skipped.backend}\n${skipped.stream}`;
    const before = this.#skipped.get(name)?.count ?? 0;
    this.#skipped.set(name, { ...skipped, count: before + skipped.count });
  }

  /** A disk without room for the appends has some for the acknowledgements, which make more. */
  async #acknowledgeAlone(group: Group, refusal: unknown): Promise<void> {
    group.refuseAppends(refusal);
    try {
      await this.#commit(group.acknowledgements(this.#now()));
      group.resolve();
    } catch (error) {
      group.reject(error);
    }
  }
}

/** A quota, or a limit on the size of files, comes as an error of the disk. */
const NO_ROOM: readonly string[] = ['disk-full', 'disk-error', 'disk-read-only'];
