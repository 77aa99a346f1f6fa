import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDevelopmentCa, type DevelopmentCa } from '#identity/development-ca.ts';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import type { Observation } from '#reading/reading.ts';
import { encodeRecords } from '#reading/senml.ts';
import { openStore } from '#store/open.ts';
import type { Store } from '#store/store.ts';

/** What `context.after` of a test does; benches bring their own. */
export interface Cleanup {
  after(run: () => void | Promise<void>): void;
}

export function temporaryFolder(cleanup: Cleanup): string {
  const folder = mkdtempSync(join(tmpdir(), 'normd-uplink-'));
  cleanup.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function temporaryStore(cleanup: Cleanup): Promise<Store> {
  const directory = join(temporaryFolder(cleanup), 'state');
  const store = await openStore({ directory, runCountMax: 1 }); // each can be refused by itself
  cleanup.after(() => store.close());
  return store;
}

export function temporaryCa(cleanup: Cleanup): Promise<DevelopmentCa> {
  return createDevelopmentCa(join(temporaryFolder(cleanup), 'pki'), Date.now());
}

/** An active energy that counts the observations of `source`, and a voltage. */
export function numbered(source: string, number: number): Observation {
  const second = Math.floor(Date.now() / 1000);
  return {
    source,
    time: { second, nanosecond: 0, clock: 'device', trust: 'trusted' },
    quality: [],
    readings: [
      { object: '1-0:1.8.0*255', raw: number, scaler: 0, unit: 'Wh' },
      { object: '1-0:32.7.0*255', raw: 2301, scaler: -1, unit: 'V' },
    ],
  };
}

/** Appends observations `from … from + count − 1` of `stream`, owed to `utility` in `of`. */
export async function oweIn(
  store: Store,
  of: DeliveryClass,
  stream: string,
  from: number,
  count: number,
): Promise<void> {
  const appends = Array.from({ length: count }, (_, index) => {
    const observation = numbered(stream, from + index);
    const readings = observation.readings.length;
    return store.append({
      source: stream,
      observation: new Uint8Array(1),
      readings,
      takenMs: Date.now(),
      outputs: [{ backend: 'utility', stream, class: of, readings, ...encodeRecords(observation) }],
    });
  });
  await Promise.all(appends);
}

/** The same as measurements. */
export function owe(store: Store, stream: string, from: number, count: number): Promise<void> {
  return oweIn(store, 'measurement', stream, from, count);
}

/** Settles when nothing is owed to `utility` any more; looks at each change of the uplink. */
export async function nothingOwed(store: Store, changed: () => Promise<unknown>): Promise<void> {
  for (;;) {
    const { backends } = await store.counts();
    if ((backends['utility']?.queuedEntries ?? 0) === 0) return;
    await changed();
  }
}
