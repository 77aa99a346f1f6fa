import type { Failure } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import { Backoff } from './backoff.ts';
import type { Link, LinkOwner } from './link.ts';

export interface LinkPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/** A connection, port or listening socket that was opened once. */
export interface Endpoint {
  /** Asks for its end; `ended` follows from the event loop, also where it had never opened. */
  end(): void;
}

export interface EndpointOwner {
  opened(): void;
  /** It does what it is for, so a later failure is a first one. */
  working(): void;
  /** Exactly once: whatever was held is released. */
  ended(failure: Failure): void;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'open'; readonly endpoint: Endpoint; sinceMs: number | undefined }
  | { readonly kind: 'waiting'; readonly cancel: () => void }
  | { readonly kind: 'stopping'; readonly done: Promise<void>; readonly finish: () => void }
  | { readonly kind: 'stopped' };

/** An endpoint that stayed open so long was a success even if it had nothing to say. */
const SETTLED_MS = 30_000;

/** A link over an endpoint that is opened anew whenever it ends. */
export function mendingLink(
  openEndpoint: (owner: LinkOwner, events: EndpointOwner) => Endpoint,
  ports: LinkPorts,
): Link {
  let mending: Mending | undefined;
  return {
    open: (owner) => {
      const waiting = owner.waiting.bind(owner);
      mending = new Mending((events) => openEndpoint(owner, events), waiting, ports);
      mending.start();
    },
    close: async () => mending?.stop(),
  };
}

/** Opens an endpoint and opens it anew whenever it ends, until it is stopped. */
class Mending {
  readonly #open: (owner: EndpointOwner) => Endpoint;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #waiting: (failure: Failure, retryMs: number) => void;
  #state: State = { kind: 'idle' };

  constructor(
    open: (owner: EndpointOwner) => Endpoint,
    waiting: (failure: Failure, retryMs: number) => void,
    { clock, entropy }: LinkPorts,
  ) {
    this.#open = open;
    this.#waiting = waiting;
    this.#clock = clock;
    this.#backoff = new Backoff(entropy);
  }

  start(): void {
    const endpoint = this.#open({
      opened: () => this.#opened(),
      working: () => this.#backoff.reset(),
      ended: (failure) => this.#ended(failure),
    });
    this.#state = { kind: 'open', endpoint, sinceMs: undefined };
  }

  async stop(): Promise<void> {
    const state = this.#state;
    if (state.kind === 'stopping') return state.done;
    if (state.kind === 'waiting') state.cancel();
    if (state.kind !== 'open') {
      this.#state = { kind: 'stopped' };
      return;
    }
    const { promise: done, resolve: finish } = Promise.withResolvers<undefined>();
    this.#state = { kind: 'stopping', done, finish: () => finish(undefined) };
    state.endpoint.end();
    await done;
  }

  #opened(): void {
    if (this.#state.kind === 'open') this.#state.sinceMs = this.#clock.monotonic();
  }

  #ended(failure: Failure): void {
    const state = this.#state;
    if (state.kind === 'stopping') {
      this.#state = { kind: 'stopped' };
      state.finish();
    }
    if (state.kind !== 'open') return;
    if (this.#clock.monotonic() - (state.sinceMs ?? Infinity) >= SETTLED_MS) this.#backoff.reset();
    const retryMs = this.#backoff.next();
    this.#state = { kind: 'waiting', cancel: this.#clock.after(retryMs, () => this.start()) };
    this.#waiting(failure, retryMs);
  }
}
