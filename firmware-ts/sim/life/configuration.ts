import { parseConfiguration } from '#config/load.ts';
import type { Configuration } from '#config/schema.ts';

/** What an operator changes now and then. */
export interface Wish {
  /** Whether the grid's back-end is there beside the utility's. */
  readonly grid: boolean;
  readonly gas: boolean;
  readonly bytesPerSecond?: number;
}

export const PORTS = { utility: 1883, grid: 1884 } as const;
export type BackendName = keyof typeof PORTS;

const source = (name: string, protocol: string, silentSeconds: number) => ({
  name,
  protocol,
  link: { kind: 'tcp', host: name, port: 4059 },
  silentSeconds,
});
const SILENT_SECONDS = { meter: 3600, gas: 10_800, alarms: 2_678_400 } as const;

/** An outage of a week outlives it. */
const OUTBOX = { maxDays: 3 };

/** The whole file, as it would lie on the disk; checked as every other. */
export function configurationOf(folder: string, wish: Wish): Configuration {
  const cap = wish.bytesPerSecond === undefined ? {} : { bytesPerSecond: wish.bytesPerSecond };
  const backend = (name: BackendName) => {
    return { name, url: `mqtt://127.0.0.1:${PORTS[name]}`, outbox: OUTBOX, ...cap };
  };
  const sources = ['meter', ...(wish.gas ? ['gas'] : []), 'alarms'];
  const file = {
    gateway: 'gw-1',
    state: folder,
    store: { retainDays: 31, retainMegabytes: 16 },
    sources: [
      source('meter', 'dlms-push', SILENT_SECONDS.meter),
      ...(wish.gas ? [source('gas', 'p1', SILENT_SECONDS.gas)] : []),
      source('alarms', 'dlms-push', SILENT_SECONDS.alarms),
    ],
    backends: [backend('utility'), ...(wish.grid ? [backend('grid')] : [])],
    policy: [
      { to: 'utility', purpose: 'bill', sources, objects: ['*'] },
      ...(wish.grid
        ? [{ to: 'grid', purpose: 'voltage', sources: ['meter'], objects: ['1-0:32.7.0*255'] }]
        : []),
    ],
  };
  const loaded = parseConfiguration(JSON.stringify(file), `${folder}/normd.yaml`);
  if ('configuration' in loaded) return loaded.configuration;
  throw new Error(loaded.problems.map(({ path, message }) => `${path}: ${message}`).join('\n'));
}
