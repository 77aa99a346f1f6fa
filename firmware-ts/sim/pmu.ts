import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { Configuration, PmuConfiguration } from '#protocol/c37118/configuration.ts';
import type { DataLayout } from '#protocol/c37118/data.ts';
import { dataLayoutOf, newDataFrame, writeData } from '#protocol/c37118/data.ts';
import { C37118Server } from '#protocol/c37118/server.ts';
import type { Clock } from '#system/clock.ts';
import { machineClock } from '#system/clock.ts';

export interface PmuSimulatorOptions {
  readonly clock?: Clock;
  /** IDCODE of stream and PMU. */
  readonly idCode?: number;
  /** Frames per second, 1 … 200. */
  readonly rate?: number;
  /** TCP port on 127.0.0.1; a free one unless given. */
  readonly port?: number;
}

export interface PmuSimulator {
  readonly port: number;
  /** DATA frames sent, over all connections. */
  readonly framesSent: number;
  /** Ends all connections; resolves when the port is released. */
  stop(): Promise<void>;
}

const TIME_BASE = 1_000_000;
/** A gateway under test connects once; more are people looking in. */
const CONNECTIONS_MAX = 16;

/**
 * A PMU on TCP: three phase voltages and a current of a 50 Hz grid whose frequency swings slowly.
 * Frames leave on their slots of the clock and carry the slot's exact time; slots that a late timer
 * has passed are sent at once, as a PMU's buffer would.
 */
export async function startPmuSimulator(options: PmuSimulatorOptions = {}): Promise<PmuSimulator> {
  const { clock = machineClock, idCode = 241, rate = 50, port = 0 } = options;
  const configuration = configurationOf(idCode, rate);
  const layout = dataLayoutOf(configuration);
  const clients = new Map<Socket, C37118Server>();
  const server = createServer((socket) => serve(socket, configuration, clients));
  server.maxConnections = CONNECTIONS_MAX;
  await listening(server, port);
  let framesSent = 0;
  const cancel = onSlots(clock, rate, (second, slot) => {
    const due = [...clients].filter(([, { streaming }]) => streaming);
    if (due.length === 0) return;
    const frame = dataFrame(layout, second, slot / rate);
    for (const [socket] of due) socket.write(frame);
    framesSent += due.length;
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    get framesSent() {
      return framesSent;
    },
    stop: async () => {
      cancel();
      await closed(server, clients);
    },
  };
}

function serve(
  socket: Socket,
  configuration: Configuration,
  clients: Map<Socket, C37118Server>,
): void {
  const pmu = new C37118Server(configuration, 'normd simulated PMU');
  clients.set(socket, pmu);
  socket.setNoDelay(true);
  socket.on('data', (chunk) => {
    for (const reply of pmu.receive(chunk).send) socket.write(reply);
  });
  // A client that vanishes is its own affair; 'close' follows and forgets it.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => clients.delete(socket));
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
}

function closed(server: Server, clients: ReadonlyMap<Socket, C37118Server>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of clients.keys()) socket.destroy();
  });
}

/** Slots that may be made up for; behind a longer pause the simulator goes on with the present. */
const LATE_SLOTS_MAX = 200;

/** Calls `slot` for every slot k/rate of each second from now on; returns how to end it. */
function onSlots(
  clock: Clock,
  rate: number,
  run: (second: number, slot: number) => void,
): () => void {
  const { second: epoch } = clock.wall();
  const slotNow = (): number => {
    const { second, nanosecond } = clock.wall();
    return Math.floor((second - epoch + nanosecond / 1e9) * rate + 1e-6);
  };
  let next = slotNow() + 1;
  const wake = (): void => {
    const now = slotNow();
    next = Math.max(next, now - LATE_SLOTS_MAX);
    for (; next <= now; next += 1) run(epoch + Math.floor(next / rate), next % rate);
    cancel = clock.after(delayTo(clock, epoch, next / rate), wake);
  };
  let cancel = clock.after(delayTo(clock, epoch, next / rate), wake);
  return () => cancel();
}

function delayTo(clock: Clock, epoch: number, seconds: number): number {
  const { second, nanosecond } = clock.wall();
  return Math.max(0, (seconds - (second - epoch)) * 1000 - nanosecond / 1e6);
}

const PHASES = ['VA', 'VB', 'VC'] as const;
/** A 110 kV line to earth, carrying 400 A lagging by about 18°. */
const VOLTAGE = 63_500;
const CURRENT = 400;
const CURRENT_ANGLE = -0.32;
/** PHUNIT in 10^-5 V and A: full scale of 16 bits at 1.5 times the nominal values. */
const VOLTAGE_FACTOR = 290_680;
const CURRENT_FACTOR = 1_831;

function configurationOf(idCode: number, rate: number): Configuration {
  const pmu: PmuConfiguration = {
    stationName: 'Simulated PMU',
    idCode,
    format: { polar: false, floatPhasors: true, floatAnalogs: true, floatFrequency: true },
    phasors: [
      ...PHASES.map((name) => ({
        name,
        quantity: 'voltage' as const,
        scale: { kind: 'phunit' as const, factor: VOLTAGE_FACTOR },
      })),
      { name: 'IA', quantity: 'current', scale: { kind: 'phunit', factor: CURRENT_FACTOR } },
    ],
    analogs: [{ name: 'TAP POSITION', scale: { kind: 'anunit', type: 0, factor: 1 } }],
    digitals: [
      {
        names: Array.from({ length: 16 }, (_, bit) => (bit === 0 ? 'BREAKER 1' : '')),
        normalMask: 1,
        validMask: 1,
      },
    ],
    nominalFrequency: 50,
    changeCount: 1,
  };
  const time = { second: 0, fraction: 0, timeQuality: 0 };
  const head = { kind: 'configuration-2', version: 1, idCode, ...time } as const;
  return { head, timeBase: TIME_BASE, pmus: [pmu], dataRate: rate };
}

/** Frequency swings ±20 mHz in 30 s, as it does over a load change. */
const SWING_HZ = 0.02;
const SWING_SECONDS = 30;

function dataFrame(layout: DataLayout, second: number, within: number): Uint8Array {
  const data = newDataFrame(layout);
  data.second = second;
  data.fraction = Math.round(within * TIME_BASE);
  const swing = (2 * Math.PI * ((second % SWING_SECONDS) + within)) / SWING_SECONDS;
  // The angle against the nominal 50 Hz is the integral of the deviation.
  const turned = -SWING_HZ * SWING_SECONDS * Math.cos(swing);
  const current = turned + CURRENT_ANGLE;
  data.phasors.set([
    ...rectangular(VOLTAGE, turned),
    ...rectangular(VOLTAGE, turned - (2 * Math.PI) / 3),
    ...rectangular(VOLTAGE, turned + (2 * Math.PI) / 3),
    ...rectangular(CURRENT, current),
  ]);
  const rocof = (SWING_HZ * 2 * Math.PI * Math.cos(swing)) / SWING_SECONDS;
  data.frequency.set([50 + SWING_HZ * Math.sin(swing), rocof]);
  data.analogs[0] = 9;
  data.digitals[0] = 1;
  return writeData(layout, data);
}

function rectangular(magnitude: number, angle: number): readonly [number, number] {
  return [magnitude * Math.cos(angle), magnitude * Math.sin(angle)];
}
