import { statfsSync } from 'node:fs';
import { basename } from 'node:path';
import type { NamedGap, SetAside, Store } from '#store/store.ts';
import type { Clock } from '#system/clock.ts';
import type { Log } from '#system/log.ts';
import type { TellEvent } from './event-desk.ts';
import { Throttle } from './throttle.ts';

/** The disk has recovered when nothing has been refused for so long: its edge is crossed often. */
const RECOVERED_AFTER_MS = 60_000;

export interface StoreWatchPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** Octets that the disk of the store has left. */
  readonly freeBytes: () => number | undefined;
  readonly tell: TellEvent;
}

/** Refusals that are the disk's, and not the store's or the appender's. */
const OF_THE_DISK = ['disk-full', 'disk-error', 'disk-read-only'] as const;

type OfTheDisk = (typeof OF_THE_DISK)[number];

/** Since something was refused, or had to be dropped, and until nothing is for a while. */
interface Trouble {
  readonly told: Set<OfTheDisk>;
  /** Of the last refusal, by the monotonic clock. */
  atMs: number;
}

/** Tells what happens to the store: gaps, damaged files, a full disk; once, not per reading. */
export class StoreWatch {
  readonly #ports: StoreWatchPorts;
  readonly #throttle: Throttle;
  /** Observations named as gaps since the start, by back-end and reason. */
  readonly #gaps = new Map<string, Map<string, number>>();
  #trouble: Trouble | undefined;

  constructor(ports: StoreWatchPorts) {
    this.#ports = ports;
    this.#throttle = new Throttle(ports.clock);
  }

  /** Listens for as long as the store is open. */
  follow(store: Pick<Store, 'opening' | 'onSetAside' | 'onGap'>): void {
    if (store.opening.setAside !== undefined) this.#setAside(store.opening.setAside);
    store.onSetAside((setAside) => this.#setAside(setAside));
    store.onGap((gap) => this.#gap(gap));
  }

  gapsOf(backend: string): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#gaps.get(backend) ?? []);
  }

  /** An append was refused with `code`. */
  refused(code: string): void {
    const ofTheDisk = OF_THE_DISK.find((one) => one === code);
    if (ofTheDisk !== undefined) this.#refuses(ofTheDisk);
  }

  /** An append was confirmed. */
  stored(): void {
    if (this.#trouble === undefined) return;
    const { clock, log } = this.#ports;
    if (clock.monotonic() - this.#trouble.atMs < RECOVERED_AFTER_MS) return;
    this.#trouble = undefined;
    const freeBytes = this.#ports.freeBytes();
    log('info', 'store.disk-recovered', { freeBytes });
    this.#ports.tell('disk-recovered', { freeBytes: freeBytes ?? 0 });
  }

  #refuses(code: OfTheDisk): void {
    const { clock, log, tell } = this.#ports;
    const trouble = (this.#trouble ??= { told: new Set(), atMs: 0 });
    trouble.atMs = clock.monotonic();
    if (trouble.told.has(code)) return;
    trouble.told.add(code);
    const freeBytes = this.#ports.freeBytes();
    if (code === 'disk-full') {
      log('error', 'store.disk-full', { freeBytes });
      tell('disk-full', { freeBytes: freeBytes ?? 0 });
    } else {
      log('error', 'store.disk-failed', { code });
      tell('disk-failed', { code });
    }
  }

  /** Where the disk has refused before, this only names it, or is more of the same. */
  #dropped(): void {
    if (this.#trouble === undefined) this.#refuses('disk-full');
    else this.#trouble.atMs = this.#ports.clock.monotonic();
  }

  /** The manifest names each number; the log only wakes somebody. */
  #gap({ backend, stream, epoch, first, last, reason }: NamedGap): void {
    const byReason = this.#gaps.get(backend) ?? new Map<string, number>();
    this.#gaps.set(backend, byReason);
    byReason.set(reason, (byReason.get(reason) ?? 0) + last - first + 1);
    if (reason === 'disk-full') this.#dropped();
    const repeated = this.#throttle.quietSince(`${backend} ${stream} ${reason}`);
    if (repeated === undefined) return;
    const { log, tell } = this.#ports;
    const numbers = { stream, epoch, first, last, reason };
    log('warning', 'store.gap', { backend, ...numbers, repeated: repeated || undefined });
    if (reason === 'quarantined') return; // the uplink tells that, with the broker's reason
    tell('gap', { stream, epoch, from: first, through: last, reason }, backend);
  }

  #setAside({ file, failure, salvagedEntries, salvageFailure }: SetAside): void {
    const { code, message } = failure;
    const why = salvageFailure && { notSalvaged: salvageFailure.message };
    this.#ports.log('error', 'store.set-aside', { file, code, message, salvagedEntries, ...why });
    this.#ports.tell('store-set-aside', { file: basename(file), salvagedEntries });
  }
}

/** What the disk that holds `directory` has left for normd; `undefined` if it does not say. */
export function freeBytesOf(directory: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return undefined; // a broken disk is told by what else fails
  }
}
