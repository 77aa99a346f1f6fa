import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDevelopmentCa } from '#identity/development-ca.ts';
import { machineClock } from '#system/clock.ts';
import { startBroker } from './broker.ts';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import { DeliveryLedger } from './delivery-ledger.ts';
import type { Deliveries } from './delivery-ledger.ts';
import { startPushMeter } from './meter.ts';
import { startP1Meter } from './p1-meter.ts';
import { startPmuSimulator } from './pmu.ts';
import { openSerialWire, openTcpWire } from './wire.ts';

/** How often the simulated devices speak: as real ones do. */
const PUSH_INTERVAL_MS = 2500;
const P1_INTERVAL_MS = 1000;
const PMU_FRAMES_PER_SECOND = 50;
const PMU_ID_CODE = 7;

/** A small world on this machine: certificates, a broker, three devices, and normd itself. */
export interface Scene {
  readonly daemon: Daemon;
  /** Where normd's control socket is. */
  readonly socket: string;
  /** How the push meter is reached: `serial`, or `tcp` where there is no socat. */
  readonly meterLink: string;
  /** What the broker got, by the content keys in the payloads. */
  deliveries(): Deliveries;
  /** The devices fall silent; normd goes on delivering what it has. */
  silence(): Promise<void>;
  /** Stops normd, then the broker, and removes the folder. Resolves with normd's exit status. */
  end(): Promise<number | null>;
}

/** Steps that undo what was started, run in reverse. */
type Undo = () => Promise<void> | void;

export async function openScene(): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'normd-'));
  const undo: Undo[] = [() => rm(folder, { recursive: true, force: true })];
  const undoAll = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return await build(folder, undo, undoAll);
  } catch (error) {
    await undoAll();
    throw error;
  }
}

async function build(folder: string, undo: Undo[], undoAll: Undo): Promise<Scene> {
  const authority = await createDevelopmentCa(join(folder, 'pki'), Date.now());
  const device = await authority.device('demo');
  const broker = await startBroker({ ca: authority.anchor, ...(await authority.broker()) });
  undo.push(() => broker.stop());
  const ledger = new DeliveryLedger();
  broker.onPublish((topic, payload) => ledger.add(topic, payload));
  const devices = await startDevices(folder);
  undo.push(() => devices.close());
  const socket = join(folder, 'control.sock');
  const file = join(folder, 'normd.yaml');
  const identity = { key: device.key, certificate: device.certificate, trust: authority.anchor };
  const url = `mqtts://127.0.0.1:${broker.port}`;
  const configuration = {
    gateway: 'demo',
    state: join(folder, 'state'),
    control: { socket },
    sources: devices.sources,
    backends: [{ name: 'utility', url, identity }],
    policy: [{ to: 'utility', purpose: 'demo', sources: devices.names, objects: ['*'] }],
  };
  await writeFile(file, JSON.stringify(configuration, null, 2)); // JSON is YAML
  const daemon = startDaemon(file);
  return {
    daemon,
    socket,
    meterLink: devices.meterLink,
    deliveries: () => ledger.deliveries(),
    silence: () => devices.silence(),
    async end() {
      daemon.terminate();
      const status = await daemon.ended;
      await undoAll();
      return status;
    },
  };
}

interface Devices {
  readonly sources: readonly object[];
  readonly names: readonly string[];
  readonly meterLink: string;
  silence(): Promise<void>;
  close(): Promise<void>;
}

async function startDevices(folder: string): Promise<Devices> {
  const clock = machineClock;
  const meterWire = (await openSerialWire(folder)) ?? (await openTcpWire());
  const p1Wire = await openTcpWire();
  const pmu = await startPmuSimulator({ clock, idCode: PMU_ID_CODE, rate: PMU_FRAMES_PER_SECOND });
  const write = (bytes: Uint8Array): void => meterWire.write(bytes);
  const meter = startPushMeter({ clock, intervalMs: PUSH_INTERVAL_MS, write });
  const p1 = startP1Meter({
    clock,
    intervalMs: P1_INTERVAL_MS,
    write: (bytes) => p1Wire.write(bytes),
  });
  const pmuLink = { kind: 'tcp', host: '127.0.0.1', port: pmu.port };
  const sources = [
    { name: 'meter', protocol: 'dlms-push', link: meterWire.link },
    { name: 'p1', protocol: 'p1', link: p1Wire.link },
    { name: 'pmu', protocol: 'c37118', idCode: PMU_ID_CODE, link: pmuLink },
  ];
  return {
    sources,
    names: sources.map(({ name }) => name),
    meterLink: String(meterWire.link['kind']),
    async silence() {
      meter.stop();
      p1.stop();
      await pmu.stop();
    },
    async close() {
      meter.stop();
      p1.stop();
      await Promise.all([pmu.stop(), meterWire.close(), p1Wire.close()]);
    },
  };
}
