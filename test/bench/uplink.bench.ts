import { join } from 'node:path';
import { openStore } from '#store/open.ts';
import type { Store } from '#store/store.ts';
import { openUplink } from '#uplink/open.ts';
import type { Uplink, UplinkStatus } from '#uplink/uplink.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { startMosquitto, withoutMosquitto } from '../support/mosquitto.ts';
import { nothingOwed, owe, temporaryCa, temporaryFolder } from '../support/outbox.ts';
import type { Cleanup } from '../support/outbox.ts';
import type { Bench } from './bench.ts';

const DRAIN_OBSERVATIONS = 20_000;
const STREAMS = 4;
const LIVE_OBSERVATIONS = 300;
const LIVE_INTERVAL_MS = 10;

/** A real mosquitto on loopback over mutual TLS, and a store with nothing in it. */
async function withBroker<Result>(
  work: (store: Store, connect: () => Uplink) => Promise<Result>,
): Promise<Result> {
  const cleanups: (() => void | Promise<void>)[] = [];
  const cleanup: Cleanup = { after: (run) => void cleanups.unshift(run) };
  try {
    const ca = await temporaryCa(cleanup);
    const mosquitto = await startMosquitto({ ca: ca.anchor, ...(await ca.broker()) });
    cleanup.after(() => mosquitto.dispose());
    const store = await openStore({ directory: join(temporaryFolder(cleanup), 'state') });
    cleanup.after(() => store.close());
    const credentials = { ...(await ca.device('gw-1')), anchors: [ca.anchor] };
    return await work(store, () => {
      const uplink = openUplink(
        { backend: 'utility', gateway: 'gw-1', software: '0', url: mosquitto.url, credentials },
        { store, clock: machineClock, entropy: machineEntropy, log: () => undefined },
      );
      cleanup.after(() => uplink.stop());
      return uplink;
    });
  } finally {
    for (const run of cleanups) await run();
  }
}

/** Readings a second from a full outbox to the durable deletion of its last entry. */
function drain(): Promise<number> {
  return withBroker(async (store, connect) => {
    const each = DRAIN_OBSERVATIONS / STREAMS;
    for (let stream = 0; stream < STREAMS; stream += 1) {
      for (let from = 0; from < each; from += 1000) await owe(store, `s${stream}`, from, 1000);
    }
    const start = performance.now();
    const uplink = connect();
    await nothingOwed(store, () => pause(1));
    const seconds = (performance.now() - start) / 1000;
    return uplink.status().readingsAcknowledged / seconds;
  });
}

/** Reading to PUBACK at a hundred observations a second, the fsync of the store included. */
function latency(): Promise<UplinkStatus> {
  return withBroker(async (store, connect) => {
    const uplink = connect();
    await new Promise<void>((resolve) => {
      uplink.onState(({ state }) => {
        if (state.kind === 'online') resolve();
      });
    });
    for (let number = 0; number < LIVE_OBSERVATIONS; number += 1) {
      await Promise.all([owe(store, 'p1', number, 1), pause(LIVE_INTERVAL_MS)]);
    }
    await nothingOwed(store, () => pause(1));
    return uplink.status();
  });
}

if (withoutMosquitto !== false) console.error(`uplink benches skipped: ${withoutMosquitto}`);

export const benches: readonly Bench[] =
  withoutMosquitto === false
    ? [
        { name: 'uplink.drain', unit: 'readings/s', run: drain },
        {
          name: 'uplink.latency.p50',
          unit: 'ms',
          run: async () => (await latency()).latencyMs?.p50 ?? NaN,
        },
        {
          name: 'uplink.latency.p99',
          unit: 'ms',
          run: async () => (await latency()).latencyMs?.p99 ?? NaN,
        },
      ]
    : [];
