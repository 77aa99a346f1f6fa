import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Device } from '#acquisition/device.ts';
import { failureOf } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import type { Configuration } from '#config/schema.ts';
import { startControl } from '#control/server.ts';
import type { ControlServer } from '#control/server.ts';
import type { GatewayStatus } from '#control/status.ts';
import { policyOf } from '#policy/policy.ts';
import type { Policy } from '#policy/policy.ts';
import { openStore } from '#store/open.ts';
import type { Store } from '#store/store.ts';
import { openBackends } from './backends.ts';
import type { BackendPart } from './backends.ts';
import { openDevices } from './devices.ts';
import type { GatewayPorts } from './ports.ts';
import { ReadingPath } from './path.ts';
import { statusOf } from './status.ts';

/** 2^20; the number itself may exceed 2^31, so it is not shifted. */
const BYTES_PER_MEGABYTE = 1_048_576;

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
  const { clock, log } = ports;
  const startedAt = clock.wall();
  const store = await openGatewayStore(configuration, ports);
  const parts: Parts = { store, backends: [], devices: [], control: undefined };
  const path = new ReadingPath(store, policyFrom(configuration), clock, log);
  const status = async (): Promise<GatewayStatus> =>
    statusOf({
      gateway: configuration.gateway,
      startedAt,
      clock,
      sources: configuration.sources.flatMap(({ protocol, name }) =>
        parts.devices
          .filter((device) => device.name === name)
          .map((device) => ({ protocol, device })),
      ),
      backends: parts.backends,
      path,
      counts: await store.counts(),
    });
  try {
    parts.backends = openBackends(configuration, store, ports);
    parts.control = await startControl({
      socket: configuration.control.socket,
      answers: { '/v1/status': status },
    });
    parts.devices = openDevices(configuration, path, ports);
  } catch (error) {
    await stopParts(parts);
    throw error;
  }
  log('info', 'gateway.started', { gateway: configuration.gateway, sources: parts.devices.length });
  return {
    status,
    failed: store.died,
    async stop() {
      await stopParts(parts);
      log('info', 'gateway.stopped', { gateway: configuration.gateway });
    },
  };
}

function policyFrom({ policy, backends }: Configuration): Policy {
  return policyOf(
    policy,
    backends.map(({ name }) => name),
  );
}

/** The reverse of the start; each part is given its chance even where another fails. */
async function stopParts({ devices, backends, control, store }: Parts): Promise<void> {
  const results = [
    ...(await Promise.allSettled(devices.map((device) => device.stop()))),
    ...(await Promise.allSettled(backends.map(({ uplink }) => uplink.stop()))),
    ...(await Promise.allSettled([control?.stop()])),
    ...(await Promise.allSettled([store.close()])),
  ];
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function openGatewayStore(
  { state, store }: Configuration,
  { clock, entropy, log }: GatewayPorts,
): Promise<Store> {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const opened = await openStore({
    directory: join(state, 'store'),
    retention: {
      ageMs: store.retainDays * 86_400_000,
      bytes: store.retainMegabytes * BYTES_PER_MEGABYTE,
    },
    clock,
    entropy,
  });
  const report = (setAside: Store['opening']['setAside']): void => {
    if (setAside === undefined) return;
    const { code, message } = failureOf(setAside.failure);
    log('error', 'store.set-aside', { file: setAside.file, code, message });
  };
  report(opened.opening.setAside);
  opened.onSetAside(report);
  return opened;
}
