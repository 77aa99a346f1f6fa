import { parseConfiguration } from '#config/load.ts';
import type { Configuration } from '#config/schema.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { Chance } from './chance.ts';
import type { Window } from './windows.ts';
import { WINDOWS } from './windows.ts';

/** Each back-end has its own brokers, of which no other knows; the first is the main one. */
export const BROKERS = {
  utility: [{ port: 8801 }, { port: 8802, weight: 100 }, { port: 8803, weight: 10 }],
  grid: [{ port: 8811 }, { port: 8812, weight: 200 }],
} as const;
export type BackendName = keyof typeof BROKERS;
export const BACKENDS = ['utility', 'grid'] as const satisfies readonly BackendName[];

export const SOURCES = ['meter', 'gas', 'alarms'] as const;
export type SourceName = (typeof SOURCES)[number];

/** What the grid's back-end may see: this of the meter, and nothing else. */
export const GRID_OBJECT = '1-0:32.7.0*255';

/** What an operator changes now and then. */
export interface Wish {
  readonly backends: readonly BackendName[];
  /** How many of its brokers a back-end has. */
  readonly brokers: number;
  readonly sources: readonly SourceName[];
  readonly classes: Readonly<Record<SourceName | 'voltage', DeliveryClass>>;
  readonly outbox: { readonly maxDays: number; readonly maxMegabytes: number };
  readonly retainDays: number;
  readonly compression: 'none' | 'zstd';
  readonly commitDelayMs?: number;
  readonly batchMs?: number;
  readonly bytesPerSecond?: number;
  readonly connect?: Window;
  /** Who says itself what it has. */
  readonly receipts: readonly BackendName[];
}

const CLASSES = {
  meter: 'measurement',
  gas: 'measurement',
  alarms: 'alarm',
  voltage: 'measurement',
} as const;

/** Everything there is to have, and nothing in its way. */
export const ALL: Wish = {
  backends: BACKENDS,
  brokers: 3,
  sources: SOURCES,
  classes: CLASSES,
  outbox: { maxDays: 183, maxMegabytes: 256 },
  retainDays: 31,
  compression: 'none',
  receipts: ['grid'],
};

export function someWish(chance: Chance): Wish {
  const outbox = { maxDays: chance.pick([1, 3, 30]), maxMegabytes: chance.pick([1, 2, 256]) };
  return {
    backends: BACKENDS.filter((name) => name === 'utility' || chance.happens(0.7)),
    brokers: chance.between(1, 3),
    sources: SOURCES.filter((name) => name === 'meter' || chance.happens(0.8)),
    classes: {
      meter: chance.pick(['measurement', 'measurement', 'bulk']),
      gas: chance.pick(['measurement', 'bulk']),
      alarms: chance.pick(['alarm', 'alarm', 'command', 'measurement']),
      voltage: chance.pick(['measurement', 'alarm', 'bulk']),
    },
    outbox,
    retainDays: chance.pick([1, 3, 31]),
    compression: chance.pick(['none', 'zstd']),
    receipts: BACKENDS.filter(() => chance.happens(0.5)),
    ...(chance.happens(0.3) ? { commitDelayMs: chance.below(5001) } : {}),
    ...(chance.happens(0.3) ? { batchMs: chance.below(60_000) } : {}),
    ...(chance.happens(0.3) ? { bytesPerSecond: chance.widely(10, 1000) } : {}),
    ...(chance.happens(0.25) ? { connect: chance.pick(WINDOWS) } : {}),
  };
}

/** PEM files of one back-end. */
export interface IdentityFiles {
  readonly key: string;
  readonly certificate: string;
  readonly trust: string;
}

const PROTOCOLS = { meter: 'dlms-push', gas: 'p1', alarms: 'dlms-push' } as const;
const SILENT_SECONDS = { meter: 10_800, gas: 43_200, alarms: 2_678_400 } as const;

/** The whole file, as it would lie on the disk; checked as every other. */
export function configurationOf(
  folder: string,
  identities: Readonly<Record<BackendName, IdentityFiles>>,
  wish: Wish,
): Configuration {
  const { retainDays, commitDelayMs } = wish;
  const file = {
    gateway: 'gw-1',
    state: folder,
    store: {
      retainDays,
      retainMegabytes: 16,
      ...(commitDelayMs === undefined ? {} : { commitDelayMs }),
    },
    sources: wish.sources.map((name) => ({
      name,
      protocol: PROTOCOLS[name],
      link: { kind: 'tcp', host: name, port: 4059 },
      silentSeconds: SILENT_SECONDS[name],
    })),
    backends: wish.backends.map((name) => backendOf(name, identities[name], wish)),
    policy: rulesOf(wish),
  };
  const loaded = parseConfiguration(JSON.stringify(file), `${folder}/normd.yaml`);
  if ('configuration' in loaded) return loaded.configuration;
  throw new Error(loaded.problems.map(({ path, message }) => `${path}: ${message}`).join('\n'));
}

function backendOf(name: BackendName, identity: IdentityFiles, wish: Wish) {
  const { compression, batchMs, bytesPerSecond, connect } = wish;
  const receipts = wish.receipts.includes(name);
  const [main, ...others] = BROKERS[name];
  const urlOf = ({ port }: { readonly port: number }) => `mqtts://${name}.example:${port}`;
  const brokers = others
    .slice(0, wish.brokers - 1)
    .map(({ port, weight }) => ({ url: urlOf({ port }), weight }));
  return {
    name,
    url: urlOf(main),
    ...(brokers.length === 0 ? {} : { brokers }),
    identity,
    // What is kept for receipts is bounded, too: here nothing of it is to be dropped.
    outbox: receipts ? ALL.outbox : wish.outbox,
    compression,
    ...(receipts ? { receipts } : {}),
    ...(batchMs === undefined ? {} : { batchMs }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    ...(connect === undefined ? {} : { connect: { cron: connect.cron, minutes: connect.minutes } }),
  };
}

function rulesOf({ sources, backends, classes }: Wish) {
  const bill = sources.map((name) => ({
    to: 'utility',
    purpose: 'bill',
    sources: [name],
    objects: ['*'],
    class: classes[name],
  }));
  const voltage = { to: 'grid', purpose: 'voltage', sources: ['meter'], objects: [GRID_OBJECT] };
  return backends.includes('grid') ? [...bill, { ...voltage, class: classes.voltage }] : bill;
}
