import { fromHex } from '#bytes/hex.ts';
import type { Connection, Step } from '#protocol/connection.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import type { InvocationCounters } from '#protocol/dlms/invocation-counter.ts';
import type { DlmsServerMessage } from '#protocol/dlms/server/server.ts';
import type { HdlcAddress } from '#protocol/hdlc/address.ts';
import type { HdlcParameters } from '#protocol/hdlc/parameters.ts';
import { HDLC_DEFAULTS } from '#protocol/hdlc/parameters.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import { wrapperServerLink } from '#protocol/wrapper/link.ts';
import { encodeWrapperPdu } from '#protocol/wrapper/wrapper.ts';
import type { Clock } from '#system/clock.ts';
import { CosemObjects } from '../cosem-objects.ts';
import { MeterAssociation } from './association.ts';
import { LIMITER_NAME, limiter } from './limiter.ts';
import { LinePush } from './line-push.ts';
import { MeterPush } from './push-setup.ts';
import { SECURITY_SETUP_NAME, counterObject, securitySetup } from './security-objects.ts';
import type { MeterDescription } from './read-description.ts';
import type { SimulatedObject } from './object.ts';
import { uiFramesOf } from './ui-frames.ts';

export interface SimulatedMeterOptions {
  readonly clock: Clock;
  readonly description: MeterDescription;
  /** What HDLC negotiates at most; the standard's defaults unless given. */
  readonly hdlc?: Partial<HdlcParameters>;
  /** Once, each client's counter is refused: the meter wants one higher by so much. */
  readonly counterLeap?: number;
}

export type MeterFraming = 'hdlc' | 'wrapper';

/** A meter that lives: its objects, and who may ask for them. */
export class SimulatedMeter {
  readonly objects: CosemObjects;
  readonly associations: readonly MeterAssociation[];
  /** What it says of its own accord, if anything. */
  readonly push: MeterPush | undefined;
  /** Its logical device. */
  readonly logical: number;
  readonly #options: SimulatedMeterOptions;
  readonly #limiter = limiter();

  constructor(options: SimulatedMeterOptions) {
    const { clock, description, counterLeap = 0 } = options;
    const { name, profile, registers, systemTitle } = description;
    this.#options = options;
    this.logical = description.logical;
    this.objects = new CosemObjects({
      clock,
      deviceName: name,
      registers,
      profileRows: profile.rows,
      profileCapacity: profile.capacity,
      profilePeriodS: profile.periodSeconds,
      switched: () => this.push?.want('alarm'),
    });
    const shared = { serverTitle: fromHex(systemTitle), counters: countersOf(clock), counterLeap };
    this.associations = description.associations.map(
      (one) => new MeterAssociation({ ...shared, description: one }),
    );
    this.push = this.#pushing();
  }

  #pushing(): MeterPush | undefined {
    const { push: description, registers } = this.#options.description;
    const told = this.associations.find(({ client }) => client === description?.client);
    if (description === undefined || told === undefined) return undefined;
    return new MeterPush({
      description,
      registers: registers.filter(({ captured }) => captured).map(({ obis }) => obis),
      objects: this.objects,
      seal: (apdu) => told.sealed(apdu),
    });
  }

  /** For one stream that has come up. */
  connection(framing: MeterFraming): Connection<DlmsServerMessage> {
    const setups = this.push?.setups() ?? {};
    const more = { ...this.#counterObjects(), [LIMITER_NAME]: this.#limiter, ...setups };
    return new Bus([
      ...this.associations.map((association) => {
        const { mayChange } = association;
        const own = association.ciphered
          ? { [SECURITY_SETUP_NAME]: securitySetup(association) }
          : {};
        const objects = this.objects.seenBy({ more: { ...more, ...own }, mayChange });
        return association.serve(this.#linkTo(association, framing), objects);
      }),
      ...this.#linePush(framing),
    ]);
  }

  #linePush(framing: MeterFraming): readonly LinePush[] {
    const { push } = this;
    if (push?.description.destination !== 'line') return [];
    const { client } = push.description;
    const { logical } = this.#options.description;
    if (framing === 'wrapper') {
      const unitOf = (apdu: Uint8Array) =>
        encodeWrapperPdu({ source: logical, destination: client, apdu });
      return [new LinePush(push, (apdu) => [unitOf(apdu)])];
    }
    const frames = {
      destination: { upper: client, length: 1 },
      source: this.#hdlcAddress(),
      segmentBytes: HDLC_DEFAULTS.informationTransmit,
    } as const;
    return [new LinePush(push, (apdu) => uiFramesOf(apdu, frames))];
  }

  /** In clear, for whoever has to know before it can cipher. */
  #counterObjects(): Record<string, SimulatedObject> {
    const ciphered = this.associations.filter((one) => one.ciphered);
    return Object.fromEntries(
      ciphered.map(({ received }, index) => [`0-0:43.1.${index}*255`, counterObject(received)]),
    );
  }

  #hdlcAddress(): HdlcAddress {
    const { logical: upper, physical: lower } = this.#options.description;
    return lower === undefined ? { upper, length: 1 } : { upper, lower, length: 2 };
  }

  #linkTo({ client }: MeterAssociation, framing: MeterFraming): ApduLink {
    const { description, hdlc } = this.#options;
    const { logical } = description;
    if (framing === 'wrapper') return wrapperServerLink({ client, server: logical });
    return new HdlcServerLink({
      client: { upper: client, length: 1 },
      server: this.#hdlcAddress(),
      ...(hdlc === undefined ? {} : { limits: hdlc }),
    });
  }
}

/** Higher after each start, as nothing is kept: a meter sends less than a message a second. */
function countersOf(clock: Clock): InvocationCounters {
  let next = Math.floor(clock.wall().second);
  return { next: () => next++ };
}

/** Servers on one line: each hears all of it, and answers its own client. */
class Bus implements Connection<DlmsServerMessage> {
  readonly #servers: readonly Connection<DlmsServerMessage>[];

  constructor(servers: readonly Connection<DlmsServerMessage>[]) {
    this.#servers = servers;
  }

  get deadline(): number {
    return Math.min(...this.#servers.map(({ deadline }) => deadline));
  }

  start(at: number): Step<DlmsServerMessage> {
    return this.#all((server) => server.start(at));
  }

  receive(chunk: Uint8Array, at: number): Step<DlmsServerMessage> {
    return this.#all((server) => server.receive(chunk, at));
  }

  expire(at: number): Step<DlmsServerMessage> {
    return this.#all((server) => server.expire(at));
  }

  stop(at: number): Step<DlmsServerMessage> {
    return this.#all((server) => server.stop(at));
  }

  #all(
    step: (server: Connection<DlmsServerMessage>) => Step<DlmsServerMessage>,
  ): Step<DlmsServerMessage> {
    const steps = this.#servers.map(step);
    return {
      send: steps.flatMap(({ send }) => send),
      events: steps.flatMap(({ events }) => events),
    };
  }
}
