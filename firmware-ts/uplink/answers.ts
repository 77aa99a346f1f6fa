import { failureOf, type Failure } from '#bytes/failure.ts';
import type { DueEntry } from '#store/store.ts';
import type { DeliveryParts, Stage } from './delivery-parts.ts';
import type { DueReader } from './due-reader.ts';
import type { Lane } from './lane.ts';
import { observationsIn } from './packet.ts';
import { Retries } from './retries.ts';
import type { Refused } from './send-queue.ts';
import type { Flight, Hearing } from './sender.ts';

/** Entries of other streams may stand between those of a pack; what is not found goes later. */
const PAGE_SHARE = 4;

export interface AnswersPorts {
  readonly stage: Stage;
  readonly reader: DueReader;
  /** Whether an entry is being tried, about which `hangUps` hears when all of it is answered. */
  readonly trying: () => boolean;
  /** Something may be sent. */
  readonly ready: () => void;
  /** What asks again after a refusal is at most so large. */
  readonly pieceBytesMax: number;
}

/** What follows from the broker's answers: acknowledgement, waiting, dividing or quarantine. */
export class Answers implements Hearing {
  readonly #parts: DeliveryParts;
  readonly #ports: AnswersPorts;
  readonly #retries: Retries;

  constructor(parts: DeliveryParts, ports: AnswersPorts) {
    this.#parts = parts;
    this.#ports = ports;
    this.#retries = new Retries(parts, (lane, stream, id) => this.#probe(lane, stream, id));
  }

  answered(flight: Flight, refusal: Failure | undefined): void {
    const { lane, pack } = flight;
    if (!this.#ports.trying()) this.#parts.hangUps.answered(pack.entries.map(({ id }) => id));
    if (refusal !== undefined) {
      this.refused(flight, refusal);
      return;
    }
    this.#parts.quarantine.taken();
    const refused = lane.queue.refusals.get(pack.stream);
    const [{ id, partial }] = pack.entries;
    const entries = lane.queue.delivered(pack);
    if (entries.length > 0) this.#acknowledge(lane, entries);
    if (refused?.id === id) this.#resume(lane, pack.stream, partial === true ? id - 1 : id);
  }

  refused(flight: Flight, failure: Failure): void {
    const { lane, pack } = flight;
    this.#parts.tally.refused(failure);
    const refused = lane.queue.refused(pack, failure);
    if (refused === undefined) return;
    const entry = { id: refused.id, stream: pack.stream };
    const verdict = this.#parts.quarantine.verdict(entry, failure.code, observationsIn(pack));
    if (verdict === 'wait') this.#retries.later(lane, pack.stream, refused);
    else if (verdict === 'alone') void this.#divide(flight);
    else void this.#quarantine(lane, pack.stream, refused);
  }

  end(): void {
    this.#retries.end();
  }

  #acknowledge({ of }: Lane, entries: readonly DueEntry[]): void {
    const { clock, tally, manifests, traffic } = this.#parts;
    tally.acknowledged(of, entries, clock.monotonic());
    manifests.change();
    traffic.look();
    this.#parts.acknowledger.add(entries);
  }

  /** Sets the entry aside, and what follows it goes on; its stream waits if the store cannot. */
  async #quarantine(lane: Lane, stream: string, refused: Refused): Promise<void> {
    const { id, failure } = refused;
    try {
      await this.#parts.quarantine.setAside({ id, stream }, failure);
      this.#resume(lane, stream, id);
      this.#ports.ready();
    } catch (error) {
      const { log, backend } = this.#parts;
      const { code, message } = failureOf(error);
      log('warning', 'uplink.store-refused', { backend, stream, id, code, message });
      if (!this.#ports.stage.over) this.#retries.later(lane, stream, refused);
    }
  }

  /** Sends what the pack held again, each observation alone. */
  async #divide({ lane, pack: { stream, entries } }: Flight): Promise<void> {
    const [{ id: firstId }] = entries;
    const lastId = entries.at(-1)?.id ?? firstId;
    const due = await this.#ports.reader.from(lane.of, firstId, entries.length * PAGE_SHARE);
    if (this.#ports.stage.over) return;
    const again = due.filter((entry) => entry.stream === stream && entry.id <= lastId);
    if (again.length === 0) this.#resume(lane, stream, firstId - 1);
    else lane.alone(again);
    this.#ports.ready();
  }

  /** Sends the refused entry again, alone; the rest of its stream waits for the answer. */
  async #probe(lane: Lane, stream: string, id: number): Promise<void> {
    const { reader, stage, ready, pieceBytesMax } = this.#ports;
    const entry = await reader.entry(lane.of, id);
    if (stage.over || stage.stopping) return;
    if (entry !== undefined) lane.queue.probe(entry, pieceBytesMax);
    else this.#resume(lane, stream, id - 1); // gone meanwhile: what follows may go
    ready();
  }

  #resume(lane: Lane, stream: string, throughId: number): void {
    this.#retries.forget(stream);
    lane.resume(stream, throughId);
  }
}
