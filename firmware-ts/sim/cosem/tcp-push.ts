import type { Failure } from '#bytes/failure.ts';
import type { Link } from '#link/link.ts';
import type { LinkPorts } from '#link/mending.ts';
import { openLink } from '#link/open.ts';
import { encodeWrapperPdu } from '#protocol/wrapper/wrapper.ts';
import type { MeterPush, PushReason } from './push-setup.ts';

export type PushTold =
  | { readonly kind: 'pushed'; readonly reason: PushReason; readonly to: string }
  | { readonly kind: 'push-failed'; readonly reason: PushReason; readonly failure: Failure };

export interface TcpPushOptions {
  readonly push: MeterPush;
  /** Logical device of the meter. */
  readonly logical: number;
  readonly ports: LinkPorts;
  readonly told: (event: PushTold) => void;
}

/**
 * Pushes to the destination over TCP, a connection each, until `stop`. While one is being tried
 * again, another for the same reason is not begun: each try brings the values of its moment.
 */
export class TcpPush {
  readonly #options: TcpPushOptions;
  readonly #links = new Set<Link>();
  readonly #timers = new Set<() => void>();
  readonly #underWay = new Set<PushReason>();

  constructor(options: TcpPushOptions) {
    this.#options = options;
    options.push.onWanted((reason) => this.#begin(reason));
    this.#wait();
  }

  async stop(): Promise<void> {
    for (const cancel of this.#timers) cancel();
    await Promise.all(Array.from(this.#links, (link) => link.close()));
  }

  #wait(): void {
    this.#after(this.#options.push.description.everySeconds, () => {
      this.#wait();
      this.#begin('interval');
    });
  }

  #begin(reason: PushReason): void {
    if (this.#underWay.has(reason)) return;
    this.#underWay.add(reason);
    this.#attempt(reason, this.#options.push.description.retries);
  }

  #attempt(reason: PushReason, triesLeft: number): void {
    const { push, ports, told } = this.#options;
    const link = openLink({ kind: 'tcp', ...endpointOf(push.description.destination) }, ports);
    this.#links.add(link);
    let over = false;
    const end = (): boolean => {
      if (over) return false;
      over = true;
      void link.close().finally(() => this.#links.delete(link));
      return true;
    };
    link.open({
      up: (stream) => {
        this.#underWay.delete(reason);
        stream.send(this.#unitOf(reason));
        told({ kind: 'pushed', reason, to: stream.peer });
        queueMicrotask(end);
        return { chunk: () => undefined, down: () => undefined };
      },
      waiting: (failure) => {
        if (!end()) return;
        told({ kind: 'push-failed', reason, failure });
        this.#again(reason, triesLeft);
      },
      ended: () => undefined,
    });
  }

  #again(reason: PushReason, triesLeft: number): void {
    const { retrySeconds } = this.#options.push.description;
    if (triesLeft === 0) this.#underWay.delete(reason);
    else this.#after(retrySeconds, () => this.#attempt(reason, triesLeft - 1));
  }

  #unitOf(reason: PushReason): Uint8Array {
    const { push, logical: source } = this.#options;
    const { client: destination } = push.description;
    return encodeWrapperPdu({ source, destination, apdu: push.apduFor(reason) });
  }

  #after(seconds: number, act: () => void): void {
    const cancel = this.#options.ports.clock.after(seconds * 1000, () => {
      this.#timers.delete(cancel);
      act();
    });
    this.#timers.add(cancel);
  }
}

/** `HOST:PORT`, as the description was checked. */
function endpointOf(destination: string): { readonly host: string; readonly port: number } {
  const at = destination.lastIndexOf(':');
  return { host: destination.slice(0, at), port: Number(destination.slice(at + 1)) };
}
