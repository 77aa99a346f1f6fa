import { decode } from 'cbor2';
import type { TestContext } from 'node:test';
import type { Store } from '#store/store.ts';
import { machineClock, type Clock } from '#system/clock.ts';
import { machineEntropy, type Entropy } from '#system/entropy.ts';
import { openUplink } from '#uplink/open.ts';
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
): Opened {
  const looks = new Set<() => void>();
  const log = (): void => void setImmediate(() => looks.forEach((look) => look()));
  const ports = { store, clock, entropy, log };
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
export function sequencesOf({ payload }: Arrival): readonly number[] {
  const records = decode<readonly ReadonlyMap<unknown, unknown>[]>(payload, { preferMap: true });
  const [, sequence, count] = records[0]?.get('k') as [number, number, number];
  return Array.from({ length: count }, (_, index) => sequence + index);
}

export interface Scene {
  readonly store: Store;
  readonly broker: ScriptedBroker;
  /** Messages of `up/{stream}`, in order of arrival, refused ones too. */
  readonly arrivals: Arrival[];
  /** Settles when the arrivals satisfy `enough`. */
  readonly until: (enough: () => boolean) => Promise<void>;
}

/** A store and a broker that answers messages of streams by `answer`, and all others with 0. */
export async function scene(
  context: TestContext,
  answer: (arrival: Arrival, stream: string) => Answer,
  welcome?: NonNullable<Script['welcome']>,
): Promise<Scene> {
  const arrivals: Arrival[] = [];
  const waiting = new Set<() => void>();
  const broker = await startScriptedBroker({
    ...(welcome === undefined ? {} : { welcome }),
    answer(arrival) {
      const stream = /\/up\/(.*)$/.exec(arrival.topic)?.[1];
      if (stream === undefined) return 0;
      arrivals.push(arrival);
      for (const look of waiting) look();
      return answer(arrival, stream);
    },
  });
  const store = await temporaryStore(context);
  context.after(() => broker.stop());
  const until = (enough: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => (enough() ? resolve() : undefined);
      waiting.add(look);
      look();
    });
  return { store, broker, arrivals, until };
}

export interface Heard {
  readonly port: number;
  readonly arrivals: readonly Arrival[];
  readonly until: (enough: () => boolean) => Promise<void>;
}

/** A broker that hears everything, copies, manifests and presence included. */
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
      waiting.forEach((look) => look());
      return answer(arrival);
    },
  });
  context.after(() => broker.stop());
  const until = (enough: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => (enough() ? resolve() : undefined);
      waiting.add(look);
      look();
    });
  return { port: broker.port, arrivals, until };
}

export function sequencesIn(arrivals: readonly Arrival[], stream: string): readonly number[] {
  return arrivals.filter(({ topic }) => topic.endsWith(`/up/${stream}`)).flatMap(sequencesOf);
}

export const urlOf = (broker: { readonly port: number }): string =>
  `mqtt://127.0.0.1:${broker.port}`;
export const range = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => i);
