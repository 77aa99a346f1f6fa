import type { Failure } from '#bytes/failure.ts';
import type { Link, LinkOwner, StreamHandler } from '#link/link.ts';
import type { Endpoint, EndpointOwner, LinkPorts } from '#link/mending.ts';
import { mendingLink } from '#link/mending.ts';
import type { Clock } from '#system/clock.ts';
import type { Chance } from './chance.ts';

const CUT: Failure = { code: 'connection-refused', message: 'the cable is cut' };
const ENDED: Failure = { code: 'connection-closed', message: 'the stream was given up' };
const OPENING_MS = 5;

interface Plug {
  readonly handler: StreamHandler;
  readonly unplug: (failure: Failure) => void;
}

/** The way from one device to the gateway: real bytes, in pieces, sometimes spoiled. */
export class Cable {
  readonly #chance: Chance;
  #plug: Plug | undefined;
  #sound = true;
  /** Of so many writings one byte is wrong. */
  noise = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  set sound(sound: boolean) {
    this.#sound = sound;
    if (!sound) this.#plug?.unplug(CUT);
  }

  /** As the device sends it; nobody hears it where the gateway is down. */
  write(bytes: Uint8Array): void {
    const sent = bytes.slice();
    if (this.noise > 0 && this.#chance.happens(this.noise)) {
      sent[this.#chance.below(sent.length)] = this.#chance.below(256);
    }
    const cut = this.#chance.happens(0.2) ? this.#chance.below(sent.length) : sent.length;
    this.#plug?.handler.chunk(sent.subarray(0, cut));
    if (cut < sent.length) this.#plug?.handler.chunk(sent.subarray(cut));
  }

  /** The gateway's end, over the link that mends itself. */
  link(ports: LinkPorts): Link {
    return mendingLink((owner, events) => this.#open(owner, events, ports.clock), ports);
  }

  /** The gateway has died. */
  forget(): void {
    this.#plug = undefined;
  }

  #open(owner: LinkOwner, events: EndpointOwner, clock: Clock): Endpoint {
    let over = false;
    const end = (failure: Failure): void => {
      if (over) return;
      over = true;
      clock.after(0, () => events.ended(failure));
    };
    clock.after(OPENING_MS, () => {
      if (over) return;
      if (this.#sound) this.#connect(owner, events, clock, end);
      else end(CUT);
    });
    return { end: () => (this.#plug === undefined ? end(ENDED) : this.#plug.unplug(ENDED)) };
  }

  #connect(
    owner: LinkOwner,
    events: EndpointOwner,
    clock: Clock,
    end: (failure: Failure) => void,
  ): void {
    events.opened();
    const unplug = (failure: Failure): void => {
      if (this.#plug !== plug) return;
      this.#plug = undefined;
      clock.after(0, () => plug.handler.down(failure));
      end(failure);
    };
    const peer = 'scripted';
    const reset = (): void => unplug(ENDED);
    const plug = { handler: owner.up({ peer, send: () => undefined, reset }), unplug };
    this.#plug = plug;
  }
}
