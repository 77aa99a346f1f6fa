import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Device } from '#acquisition/device.ts';
import type { Failure } from '#bytes/failure.ts';
import type { Configuration } from '#config/schema.ts';
import { startControl as startMachineControl } from '#control/server.ts';
import type { ControlServer } from '#control/server.ts';
import type { GatewayStatus } from '#control/status.ts';
import type { HeldLedger } from '#identity/counter-lock.ts';
import { policyOf } from '#policy/policy.ts';
import type { Policy } from '#policy/policy.ts';
import { openStore as openThreadedStore } from '#store/open.ts';
import type { Retention, Store } from '#store/store.ts';
import { holdCounters, openAskedMeters } from './asked-meters.ts';
import { openBackends } from './backends.ts';
import type { BackendPart } from './backends.ts';
import { raiseFloors, watchClock } from './clock-watch.ts';
import { openDevices } from './devices.ts';
import { EventDesk } from './event-desk.ts';
import { outboxActions, outboxAnswers } from './outboxes.ts';
import type { GatewayPorts } from './ports.ts';
import { ReadingPath } from './path.ts';
import { outboxCountsOf, statusOf } from './status.ts';
import type { SourcePart } from './status.ts';
import { StoreWatch, freeBytesOf } from './store-watch.ts';

/** 2^20; the number itself may exceed 2^31, so it is not shifted. */
const BYTES_PER_MEGABYTE = 1_048_576;
const MS_PER_DAY = 86_400_000;

export interface Gateway {
  status(): Promise<GatewayStatus>;
  /** Settles when it cannot go on: nothing can be kept any more. It is still to be stopped. */
  readonly failed: Promise<Failure>;
  /** Stops taking, delivers what it can in a bounded time, keeps the rest, closes everything. */
  stop(): Promise<void>;
}

interface Parts {
  readonly store: Store;
  backends: readonly BackendPart[];
  devices: readonly Device[];
  control: ControlServer | undefined;
  counters: HeldLedger | undefined;
  unwatch: () => void;
}

/**
 * Starts a gateway: the store first, then what takes from it, then the control socket, and the
 * devices last, so that nothing comes in before it has somewhere to go. A failure on the way
 * stops what has been started and is thrown: there is no half a gateway.
 */
export async function startGateway(
  configuration: Configuration,
  ports: GatewayPorts,
): Promise<Gateway> {
  const { clock, log, startControl = startMachineControl } = ports;
  const { gateway, state, control } = configuration;
  const startedAt = clock.wall();
  const store = await openGatewayStore(configuration, ports);
  raiseFloors(clock, store, configuration);
  const desk = new EventDesk();
  const { tell } = desk;
  const watch = new StoreWatch({ clock, log, tell, freeBytes: () => freeBytesOf(state) });
  watch.follow(store);
  const unwatch = watchClock({ clock, store, log, tell });
  const parts: Parts = {
    store,
    backends: [],
    devices: [],
    control: undefined,
    counters: undefined,
    unwatch,
  };
  const path = new ReadingPath(store, policyFrom(configuration), ports, watch);
  const backends = configuration.backends.map(({ name }) => name);
  const status = async (): Promise<GatewayStatus> =>
    statusOf({
      gateway,
      startedAt,
      clock,
      sources: sourcesOf(configuration, parts.devices),
      backends: parts.backends,
      path,
      outboxes: await outboxCountsOf(store, backends, watch),
    });
  try {
    parts.backends = openBackends(configuration, store, ports);
    desk.open(parts.backends);
    const outboxes = { gateway, backends, store };
    parts.control = await startControl({
      socket: control.socket,
      answers: { '/v1/status': status, ...outboxAnswers(outboxes) },
      actions: outboxActions(outboxes),
    });
    parts.counters = await holdCounters(configuration);
    parts.devices = [
      ...openDevices(configuration, path, ports),
      ...openAskedMeters(configuration, path, ports, parts.counters?.ledger),
    ];
  } catch (error) {
    await stopParts(parts);
    throw error;
  }
  log('info', 'gateway.started', { gateway, sources: parts.devices.length });
  return {
    status,
    failed: store.died,
    async stop() {
      await stopParts(parts);
      log('info', 'gateway.stopped', { gateway });
    },
  };
}

function sourcesOf({ sources }: Configuration, devices: readonly Device[]): readonly SourcePart[] {
  return sources.flatMap(({ protocol, name }) =>
    devices.filter((device) => device.name === name).map((device) => ({ protocol, device })),
  );
}

function policyFrom({ policy, backends }: Configuration): Policy {
  return policyOf(
    policy,
    backends.map(({ name }) => name),
  );
}

/** The reverse of the start; each part is given its chance even where another fails. */
async function stopParts(parts: Parts): Promise<void> {
  const { devices, backends, control, counters, store, unwatch } = parts;
  unwatch();
  const results = [
    ...(await Promise.allSettled(devices.map((device) => device.stop()))),
    ...(await Promise.allSettled(backends.map(({ uplink }) => uplink.stop()))),
    ...(await Promise.allSettled([control?.stop()])),
    ...(await Promise.allSettled([counters?.release()])),
    ...(await Promise.allSettled([store.close()])),
  ];
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function openGatewayStore(
  { state, store, backends }: Configuration,
  { clock, entropy, openStore = openThreadedStore }: GatewayPorts,
): Promise<Store> {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  return openStore({
    directory: join(state, 'store'),
    retention: retentionOf(store.retainDays, store.retainMegabytes),
    outboxes: Object.fromEntries(
      backends.map(({ name, outbox }) => [name, retentionOf(outbox.maxDays, outbox.maxMegabytes)]),
    ),
    commitDelayMs: store.commitDelayMs,
    clock,
    entropy,
  });
}

function retentionOf(days: number, megabytes: number): Retention {
  return { ageMs: days * MS_PER_DAY, bytes: megabytes * BYTES_PER_MEGABYTE };
}
