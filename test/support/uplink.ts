import { decode } from 'cbor2';
import type { TestContext } from 'node:test';
import type { Store } from '#store/store.ts';
import { machineClock, type Clock } from '#system/clock.ts';
import { machineEntropy, type Entropy } from '#system/entropy.ts';
import { openUplink } from '#uplink/open.ts';
import type { Dial } from '#uplink/session.ts';
import type { Uplink, UplinkOptions, UplinkStatus } from '#uplink/uplink.ts';
import { temporaryStore } from './outbox.ts';
import { startScriptedBroker } from './scripted-broker.ts';
import type { Answer, Arrival, Script, ScriptedBroker } from './scripted-broker.ts';

export const GATEWAY = { backend: 'utility', gateway: 'gw-1', software: '0.0.0' } as const;

/** An uplink, and what its log says as events. */
export interface Opened extends Uplink {
  /** The first status, present or future, that satisfies `wanted`; looks at each log line. */
  readonly reached: (wanted: (status: UplinkStatus) => boolean) => Promise<UplinkStatus>;
}

export function open(
  context: TestContext,
  store: Store,
  options: Omit<UplinkOptions, keyof typeof GATEWAY>,
  clock: Clock = machineClock,
  entropy: Entropy = machineEntropy,
  dial?: Dial,
): Opened {
  const looks = new Set<() => void>();
  const log = (): void => void setImmediate(() => looks.forEach((look) => look()));
  const ports = { store, clock, entropy, log, ...(dial === undefined ? {} : { dial }) };
  const uplink = openUplink({ ...GATEWAY, ...options }, ports);
  context.after(() => uplink.stop());
  return {
    status: () => uplink.status(),
    onState: (changed) => uplink.onState(changed),
    tell: uplink.tell,
    stop: () => uplink.stop(),
    reached: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!wanted(uplink.status())) return;
          looks.delete(look);
          resolve(uplink.status());
        };
        looks.add(look);
        look();
      }),
  };
}

/** Sequences that a payload carries, read by a decoder that is not ours. */
export function sequencesOf({ payload }: Pick<Arrival, 'payload'>): readonly number[] {
  const records = decode<readonly ReadonlyMap<unknown, unknown>[]>(payload, { preferMap: true });
  const [, sequence, count] = records[0]?.get('k') as [number, number, number];
  return Array.from({ length: count }, (_, index) => sequence + index);
}

/** A broker, and what came to it. */
export interface Heard extends ScriptedBroker {
  /** In order of arrival, refused ones too. */
  readonly arrivals: readonly Arrival[];
  /** Settles when the arrivals satisfy `enough`. */
  readonly until: (enough: () => boolean) => Promise<void>;
}

/** A broker that hears everything: copies, manifests and presence, too. */
export async function listener(
  context: TestContext,
  answer: (arrival: Arrival) => Answer,
  welcome?: NonNullable<Script['welcome']>,
): Promise<Heard> {
  const arrivals: Arrival[] = [];
  const waiting = new Set<() => void>();
  const broker = await startScriptedBroker({
    ...(welcome === undefined ? {} : { welcome }),
    answer(arrival) {
      arrivals.push(arrival);
      const reply = answer(arrival);
      for (const look of waiting) look();
      return reply;
    },
  });
  context.after(() => broker.stop());
  const until = (enough: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => (enough() ? resolve() : undefined);
      waiting.add(look);
      look();
    });
  return { ...broker, arrivals, until };
}

export interface Scene extends Pick<Heard, 'arrivals' | 'until'> {
  readonly store: Store;
  readonly broker: ScriptedBroker;
}

/** A store, and a broker of which only what comes on `up/{stream}` is told; the rest it takes. */
export async function scene(
  context: TestContext,
  answer: (arrival: Arrival, stream: string) => Answer,
  welcome?: NonNullable<Script['welcome']>,
): Promise<Scene> {
  const store = await temporaryStore(context);
  const arrivals: Arrival[] = [];
  const hear = (arrival: Arrival): Answer => {
    const stream = /\/up\/(.*)$/.exec(arrival.topic)?.[1];
    if (stream === undefined) return 0;
    arrivals.push(arrival);
    return answer(arrival, stream);
  };
  const broker = await listener(context, hear, welcome);
  return { store, broker, arrivals, until: broker.until };
}

export function sequencesIn(arrivals: readonly Arrival[], stream: string): readonly number[] {
  return arrivals.filter(({ topic }) => topic.endsWith(`/up/${stream}`)).flatMap(sequencesOf);
}

export const urlOf = (broker: { readonly port: number }): string =>
  `mqtt://127.0.0.1:${broker.port}`;
export const range = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => i);
