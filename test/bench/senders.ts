import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { UplinkState, WindowStatus } from '#uplink/uplink.ts';
import type { Load } from './load.ts';
import { cpuSeconds, residentMiB, writtenBytes } from './processes.ts';

/** What a sender says. */
export type Told =
  | { readonly kind: 'opened'; readonly openingMs: number; readonly openMs: number }
  | { readonly kind: 'loaded' }
  | {
      readonly kind: 'status';
      readonly state: UplinkState['kind'];
      readonly readingsAcknowledged: number;
      readonly window?: WindowStatus;
    };

type Status = Extract<Told, { kind: 'status' }>;

/** A process with a store and an uplink, seen from outside. */
export class Sender {
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(told: Told) => void>();
  readonly #ended: Promise<unknown>;
  readonly opened: Promise<Extract<Told, { kind: 'opened' }>>;

  constructor(directory: string, url: string) {
    this.#child = fork(join(import.meta.dirname, 'sender.ts'), [directory, url]);
    this.#ended = once(this.#child, 'exit');
    this.#child.on('message', (told: Told) => {
      for (const listener of this.#listeners) listener(told);
    });
    this.opened = this.#told((told) => (told.kind === 'opened' ? told : undefined));
  }

  /** Settles when all of `load` is confirmed. */
  async load(load: Load): Promise<void> {
    const loaded = this.#told((told) => (told.kind === 'loaded' ? told : undefined));
    this.#child.send(load);
    await loaded;
  }

  /** The first status that satisfies `enough`. */
  status(enough: (status: Status) => boolean): Promise<Status> {
    return this.#told((told) => (told.kind === 'status' && enough(told) ? told : undefined));
  }

  residentMiB(): number {
    return residentMiB(this.#child);
  }

  writtenBytes(): number {
    return writtenBytes(this.#child);
  }

  cpuSeconds(): number {
    return cpuSeconds(this.#child);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #told<Of>(pick: (told: Told) => Of | undefined): Promise<Of> {
    const { promise, resolve, reject } = Promise.withResolvers<Of>();
    const listener = (told: Told): void => {
      const picked = pick(told);
      if (picked !== undefined) resolve(picked);
    };
    this.#listeners.add(listener);
    void this.#ended.then(() => reject(new Error('the sender has ended')));
    return promise.finally(() => this.#listeners.delete(listener));
  }
}
