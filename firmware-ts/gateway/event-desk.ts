import type { EventFields, EventName } from '#contract/event.ts';
import type { Uplink } from '#uplink/uplink.ts';

/** Tells `backend`, or all of them, on its topic of events. */
export type TellEvent = <Name extends EventName>(
  event: Name,
  fields: EventFields[Name],
  backend?: string,
) => void;

interface Told {
  readonly name: string;
  readonly uplink: Pick<Uplink, 'tell'>;
}

/** Hands events to the uplinks; those from before there are any wait for them. */
export class EventDesk {
  #backends: readonly Told[] | undefined;
  readonly #early: (() => void)[] = [];

  readonly tell: TellEvent = (event, fields, backend) => {
    if (this.#backends === undefined) {
      this.#early.push(() => this.tell(event, fields, backend));
      return;
    }
    for (const { name, uplink } of this.#backends) {
      if (backend === undefined || backend === name) uplink.tell(event, fields);
    }
  };

  open(backends: readonly Told[]): void {
    this.#backends = backends;
    for (const tell of this.#early.splice(0)) tell();
  }
}
