import { failureOf, type Failure } from '#bytes/failure.ts';
import type { DeliveryParts, Stage } from './delivery-parts.ts';
import type { DueReader } from './due-reader.ts';
import type { Lane, Outgoing } from './lane.ts';
import type { Suspect } from './quarantine-rule.ts';
import type { Flight } from './sender.ts';

export interface TrialPorts {
  readonly stage: Stage;
  readonly reader: DueReader;
  readonly lanes: readonly Lane[];
  readonly inFlight: () => number;
  readonly send: (lane: Lane, outgoing: Outgoing) => void;
  /** Something may be sent. */
  readonly ready: () => void;
  readonly packBytesMax: number;
}

/**
 * Sends the entry over which the broker may have hung up, observation by observation. As long as
 * that takes nothing else is sent, so that the next hang-up is about it or about nothing.
 */
export class Trial {
  readonly #parts: DeliveryParts;
  readonly #ports: TrialPorts;
  #lane: Lane | undefined;
  #ready = false;

  constructor(parts: DeliveryParts, ports: TrialPorts) {
    this.#parts = parts;
    this.#ports = ports;
    const { suspect } = parts.hangUps;
    if (suspect !== undefined) void this.#begin(suspect);
  }

  get underWay(): boolean {
    return this.#lane !== undefined;
  }

  /** Sends the next observation when the one before has been answered. */
  goOn(): void {
    if (this.#lane === undefined || !this.#ready || this.#ports.inFlight() > 0) return;
    const pack = this.#lane.queue.next(this.#ports.packBytesMax);
    if (pack !== undefined) this.#ports.send(this.#lane, { kind: 'up', pack });
    else {
      this.#parts.hangUps.dismiss(); // it was taken, or refused with a word
      this.#lane = undefined;
    }
  }

  /** The session is lost: who was in flight may be why, and the next session finds out. */
  lost(failure: Failure, oldest: Flight | undefined): void {
    if (oldest === undefined) return;
    const { lane, pack } = oldest;
    const [{ id }] = pack.entries;
    const alone = pack.entries.length === 1 && this.#ports.inFlight() === 1;
    const { code } = failure;
    const verdict = this.#parts.hangUps.lost({ code, oldest: { id, of: lane.of }, alone });
    if (verdict === 'quarantine') this.#quarantine(pack.stream, id, failure);
  }

  async #begin({ id, of }: Suspect): Promise<void> {
    const { reader, lanes, stage, ready } = this.#ports;
    this.#lane = lanes.find((lane) => lane.of === of);
    const entry = await reader.entry(of, id);
    if (stage.over) return;
    if (entry !== undefined) this.#lane?.alone([entry]);
    this.#ready = true;
    ready();
  }

  #quarantine(stream: string, id: number, failure: Failure): void {
    const { backend, log, quarantine } = this.#parts;
    quarantine.setAside({ id, stream }, failure).catch((error: unknown) => {
      const { code, message } = failureOf(error);
      log('warning', 'uplink.store-refused', { backend, stream, id, code, message });
    });
  }
}
