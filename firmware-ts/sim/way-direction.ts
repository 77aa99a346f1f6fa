import type { Socket } from 'node:net';
import type { Clock } from '#system/clock.ts';
import type { Entropy } from '#system/entropy.ts';
import { Arrivals } from './weather.ts';
import type { Weather } from './weather.ts';

/** What travels as one, and is lost as one: an Ethernet segment of TCP. */
const SEGMENT_BYTES = 1448;
/** What a modem holds before its sender has to wait: so much, or what its line takes so long. */
const MODEM_BYTES = 16 * 1024;
const MODEM_MS = 2000;
/** All that is on its way; more would be a leak. */
const HELD_BYTES_MAX = 16 * 1024 * 1024;

type Load =
  | { readonly kind: 'bytes'; readonly dueMs: number; readonly bytes: Uint8Array }
  | { readonly kind: 'end' | 'reset'; readonly dueMs: number };

export interface DirectionParts {
  readonly from: Socket;
  readonly into: Socket;
  readonly clock: Clock;
  readonly entropy: Pick<Entropy, 'fraction'>;
  readonly weather: () => Weather;
  readonly arrived: (bytes: number) => void;
}

/** One direction of one connection: all that is sent into it arrives in order, or waits. */
export class Direction {
  readonly #parts: DirectionParts;
  readonly #arrivals: Arrivals;
  #loads: Load[] = [];
  #held = 0;
  #cancel: (() => void) | undefined;

  constructor(parts: DirectionParts) {
    const { from, entropy } = parts;
    this.#parts = parts;
    this.#arrivals = new Arrivals(entropy);
    from.on('data', (chunk: Uint8Array) => this.#take(chunk));
    from.on('end', () => this.#over('end'));
    from.on('error', () => this.#over('reset'));
  }

  /** Delivers what is due; to be called when the weather has changed. */
  pump(): void {
    const { from, clock, weather } = this.#parts;
    this.#cancel?.();
    this.#cancel = undefined;
    while (this.#loads[0] !== undefined && weather().stalled !== true) {
      const waitMs = this.#loads[0].dueMs - clock.monotonic();
      if (waitMs > 0) {
        this.#cancel = clock.after(waitMs, () => this.pump());
        return;
      }
      this.#deliver(this.#loads[0]);
      this.#loads.shift();
    }
    if (!this.#full && from.isPaused()) from.resume();
  }

  get #full(): boolean {
    const { bytesPerSecond = Infinity, delayMs = 0 } = this.#parts.weather();
    const modemBytes = Math.max(MODEM_BYTES, (bytesPerSecond * (MODEM_MS + delayMs)) / 1000);
    return this.#held >= Math.min(HELD_BYTES_MAX, modemBytes);
  }

  /** The way is gone, and what was on it. */
  end(): void {
    this.#cancel?.();
    this.#loads = [];
  }

  #take(chunk: Uint8Array): void {
    const { from, clock, weather } = this.#parts;
    const { loss, jitterMs, bytesPerSecond } = weather();
    const alike = loss === undefined && jitterMs === undefined && bytesPerSecond === undefined;
    const segmentBytes = alike ? chunk.length : SEGMENT_BYTES;
    for (let at = 0; at < chunk.length; at += segmentBytes) {
      const bytes = chunk.subarray(at, at + segmentBytes);
      const dueMs = this.#arrivals.of(bytes.length, clock.monotonic(), weather());
      this.#loads.push({ kind: 'bytes', dueMs, bytes });
    }
    this.#held += chunk.length;
    if (this.#full) from.pause();
    this.pump();
  }

  #over(kind: 'end' | 'reset'): void {
    const { clock, weather } = this.#parts;
    if (weather().fatal === true) this.#loads = [];
    this.#loads.push({ kind, dueMs: this.#arrivals.of(0, clock.monotonic(), weather()) });
    this.pump();
  }

  #deliver(load: Load): void {
    const { into, arrived } = this.#parts;
    if (load.kind === 'bytes') {
      this.#held -= load.bytes.length;
      arrived(load.bytes.length);
      if (into.writable) into.write(load.bytes);
    } else if (load.kind === 'end') into.end();
    else into.resetAndDestroy();
  }
}
