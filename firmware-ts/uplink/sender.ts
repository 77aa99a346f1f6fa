import type { Failure } from '#bytes/failure.ts';
import type { DeliveryParts } from './delivery-parts.ts';
import type { Lane, Outgoing } from './lane.ts';
import type { Pack } from './pack.ts';
import { messageOf, tooLargeFor, unencodable } from './packet.ts';
import type { Publisher } from './publisher.ts';
import type { Message } from './session.ts';

/** A pack that was sent in its order and has no answer yet. */
export interface Flight {
  readonly lane: Lane;
  readonly pack: Pack;
}

/** Something that is not of the outbox. `done` is not called when the session is lost. */
export interface Announcement {
  readonly message: Message;
  readonly done: (refusal?: Failure) => void;
}

/** What becomes of a pack that was sent in its order. */
export interface Hearing {
  /** The broker has spoken: it has the pack, unless it refuses it. */
  answered(flight: Flight, refusal: Failure | undefined): void;
  /** No broker needs to be asked: the pack can not be sent. */
  refused(flight: Flight, failure: Failure): void;
}

/** Makes packets of packs, sends them and remembers what has no answer yet. */
export class Sender {
  readonly #parts: DeliveryParts;
  readonly #publisher: Publisher;
  readonly #hearing: Hearing;
  /** The oldest first. */
  readonly #flights = new Set<Flight>();

  constructor(parts: DeliveryParts, publisher: Publisher, hearing: Hearing) {
    this.#parts = parts;
    this.#publisher = publisher;
    this.#hearing = hearing;
  }

  /** What was sent first of all that has no answer. */
  get oldest(): Flight | undefined {
    const [first] = this.#flights;
    return first;
  }

  send(lane: Lane, outgoing: Outgoing): void {
    const { kind, pack } = outgoing;
    const made = this.#packetOf(outgoing);
    if ('code' in made) {
      if (kind === 'up') this.#hearing.refused({ lane, pack }, made);
      return;
    }
    if (kind === 'live') this.#publisher.publish(made, (refusal) => this.#note(refusal));
    else this.#fly({ lane, pack }, made);
    this.#parts.tally.sent(pack, made.payload.length);
  }

  /** Sends something that is not of the outbox; `done` gets the broker's answer. */
  announce({ message, done }: Announcement): void {
    const answered = (refusal: Failure | undefined): void => {
      this.#note(refusal);
      done(refusal);
    };
    const failure = tooLargeFor(this.#parts.session, message);
    if (failure === undefined) this.#publisher.publish(message, answered);
    else answered(failure);
  }

  #fly(flight: Flight, message: Message): void {
    this.#flights.add(flight);
    this.#publisher.publish(message, (refusal) => {
      this.#flights.delete(flight);
      this.#hearing.answered(flight, refusal);
    });
  }

  #note(refusal: Failure | undefined): void {
    if (refusal !== undefined) this.#parts.tally.refused(refusal);
  }

  #packetOf(outgoing: Outgoing): Message | Failure {
    try {
      const message = messageOf(outgoing, this.#parts);
      return tooLargeFor(this.#parts.session, message) ?? message;
    } catch (error) {
      return unencodable(error);
    }
  }
}
