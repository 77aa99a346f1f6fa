import { failureOf, type Failure } from '#bytes/failure.ts';
import type { DeliveryParts, Stage } from './delivery-parts.ts';
import type { DueReader } from './due-reader.ts';
import type { Lane, Outgoing } from './lane.ts';
import { observationsIn } from './packet.ts';
import { atomsOf, piecesOf, type Piece } from './pieces.ts';
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
  readonly pieceBytesMax: number;
}

/**
 * Sends the entry over which the broker may have hung up, alone: as a whole, or observation by
 * observation once it has hung up over the whole. As long as that takes all that is not urgent
 * waits, and what is goes alone, too, so that the next hang-up is about what is in flight.
 */
export class Trial {
  readonly #parts: DeliveryParts;
  readonly #ports: TrialPorts;
  #lane: Lane | undefined;
  /** What is left to be sent; absent until it is known. */
  #pieces: readonly Piece[] | undefined;

  constructor(parts: DeliveryParts, ports: TrialPorts) {
    this.#parts = parts;
    this.#ports = ports;
    const { suspect } = parts.hangUps;
    this.#lane = ports.lanes.find(({ of }) => of === suspect?.of);
    if (suspect !== undefined && this.#lane !== undefined) void this.#begin(suspect, this.#lane);
  }

  get underWay(): boolean {
    return this.#lane !== undefined;
  }

  /** Sends the next piece, with nothing in flight, or ends; `false` where the store is awaited. */
  goOn(): boolean {
    const [lane, pieces] = [this.#lane, this.#pieces];
    if (lane === undefined || pieces === undefined) return false;
    const [piece, ...left] = pieces;
    if (piece === undefined || lane.queue.refusals.has(piece.stream)) this.#end(lane);
    else {
      this.#pieces = left;
      this.#ports.send(lane, { kind: 'up', pack: lane.queue.sendApart(piece) });
    }
    return true;
  }

  /** The session is lost: who was in flight may be why, and the next session finds out. */
  lost(failure: Failure, oldest: Flight | undefined): void {
    if (oldest === undefined) return;
    const { lane, pack } = oldest;
    const { stream, entries } = pack;
    const [{ id, sequence }] = entries;
    const verdict = this.#parts.hangUps.lost({
      code: failure.code,
      oldest: { id, stream, of: lane.of },
      sequence,
      count: observationsIn(pack),
      alone: entries.length === 1 && this.#ports.inFlight() === 1,
    });
    if (verdict === 'quarantine') this.#quarantine(stream, id, failure);
  }

  async #begin({ id, stream, of }: Suspect, lane: Lane): Promise<void> {
    const { reader, stage, ready, pieceBytesMax } = this.#ports;
    lane.queue.hold(stream);
    const entry = await reader.entry(of, id);
    if (stage.over) return;
    if (entry === undefined) this.#pieces = [];
    else if (this.#parts.hangUps.divided) this.#pieces = atomsOf(entry);
    else this.#pieces = piecesOf(entry, pieceBytesMax);
    ready();
  }

  /** It was taken, refused with a word, or is due no more. */
  #end(lane: Lane): void {
    this.#parts.hangUps.dismiss();
    lane.letGo();
    this.#lane = undefined;
  }

  #quarantine(stream: string, id: number, failure: Failure): void {
    const { backend, log, quarantine } = this.#parts;
    quarantine.setAside({ id, stream }, failure).catch((error: unknown) => {
      const { code, message } = failureOf(error);
      log('warning', 'uplink.store-refused', { backend, stream, id, code, message });
    });
  }
}
