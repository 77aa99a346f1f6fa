import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../support/mosquitto.ts';
import type { Study } from './bench.ts';
import { feedOver } from './peers/feeding.ts';
import { mosquittoBridge } from './peers/mosquitto.ts';
import { nodeRed } from './peers/node-red.ts';
import { normd } from './peers/normd.ts';
import { type Feed, MESSAGE_BYTES, type Peer, type Running } from './peers/peer.ts';
import { cpuSeconds } from './processes.ts';
import { type Receiver, startReceiver } from './receiver.ts';

const MESSAGES = 20_000;
const FLOW: Feed = { count: MESSAGES, stamped: true };
/** Each takes so many evenly while its upstream is down. */
const OUTAGE: Feed = { count: MESSAGES, perSecond: 2_000, stamped: true };
/** Sent until one comes through, before the clock runs. */
const WARMING: Feed = { count: 100, stamped: false };
const WARMING_MS = 200;
const WARMINGS_MAX = 100;
/** Nothing new for so long: nothing more will come. */
const QUIET_MS = 8_000;

type Numbers = Readonly<Record<string, number>>;

/** Through to an upstream that is there, as fast as it is taken. */
async function flowing(peer: Peer): Promise<Numbers> {
  const receiver = await startReceiver();
  const running = await (await peer.open(receiver.port)).start();
  try {
    await warm(running, receiver);
    const [startMs, cpu] = [performance.timeOrigin + performance.now(), running.cpuSeconds()];
    await running.feed(FLOW);
    await receiver.settled(MESSAGES, QUIET_MS);
    return {
      messages: perSecond(receiver, startMs),
      cpu: ((running.cpuSeconds() - cpu) * 1e6) / receiver.stamped.size,
    };
  } finally {
    await running.kill();
    await receiver.stop();
  }
}

async function warm(running: Running, receiver: Receiver): Promise<void> {
  for (let tries = 0; receiver.messages === 0; tries += 1) {
    if (tries === WARMINGS_MAX) throw new Error('nothing comes through');
    await running.feed(WARMING);
    await pause(WARMING_MS);
  }
}

/** From the start to the arrival of the last. */
function perSecond({ stamped }: Receiver, startMs: number): number {
  let lastMs = startMs;
  for (const { sentMs, latencyMs } of stamped.values()) {
    lastMs = Math.max(lastMs, sentMs + latencyMs);
  }
  return (1000 * stamped.size) / (lastMs - startMs);
}

/** The upstream is down; all is taken, the process is killed and started again: what arrives. */
async function outage(peer: Peer): Promise<Numbers> {
  const upstream = await freePort();
  const place = await peer.open(upstream);
  const running = await place.start();
  await running.feed(OUTAGE);
  const [written, rss] = [running.writtenBytes(), running.residentMiB()];
  await running.kill();
  const again = await place.start();
  const receiver = await startReceiver(upstream);
  try {
    await receiver.settled(MESSAGES, QUIET_MS);
    const arrived = receiver.stamped.size;
    return { arrived, written: written / (MESSAGES * MESSAGE_BYTES), rss };
  } finally {
    await again.kill();
    await receiver.stop();
  }
}

/** The MQTT client that normd uses, with nothing around it: more messages it cannot send. */
async function client(): Promise<Numbers> {
  const receiver = await startReceiver();
  let cpu = NaN;
  try {
    const startMs = performance.timeOrigin + performance.now();
    await feedOver({ ...FLOW, over: 'mqtt', port: receiver.port }, (feeder) => {
      cpu = (cpuSeconds(feeder) * 1e6) / MESSAGES;
    });
    const first = Math.min(...Array.from(receiver.stamped.values(), ({ sentMs }) => sentMs));
    return { messages: perSecond(receiver, Math.max(startMs, first)), cpu };
  } finally {
    await receiver.stop();
  }
}

const PEERS: readonly (() => Peer)[] = [
  () => normd,
  () => mosquittoBridge('mosquitto', []),
  () => mosquittoBridge('mosquitto-autosave-1', ['autosave_interval 1']),
  nodeRed,
];

const absences: string[] = [];

async function sideBySide(): Promise<Numbers> {
  const alone = await client();
  const found: Record<string, number> = named('client', alone);
  for (const make of PEERS) {
    const peer = make();
    if (peer.absent === false) {
      Object.assign(found, named(peer.name, { ...(await flowing(peer)), ...(await outage(peer)) }));
    } else absences.push(`peers.${peer.name}: ${peer.absent}`);
  }
  const ofClient = (found['peers.normd.messages'] ?? NaN) / (alone['messages'] ?? NaN);
  return { ...found, 'peers.normd.ofClient': ofClient };
}

function named(peer: string, numbers: Numbers): Record<string, number> {
  return Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [`peers.${peer}.${name}`, value]),
  );
}

const FLOWING = { messages: 'messages/s', cpu: 'µs/message' };
const UNITS = { ...FLOWING, arrived: `of ${MESSAGES}`, written: 'B/B', rss: 'MiB' };

function unitsOf(peer: string, units: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(units).map(([name, unit]) => [`peers.${peer}.${name}`, unit]),
  );
}

/**
 * The same messages for each. `messages` and `cpu` are with the upstream there; a message is of 190
 * octets, and normd sends several in a packet. `arrived`, `written` and `rss` are of an upstream
 * that is down: the last message is taken, the process is killed at once and started again, and
 * its upstream comes up. `written` counts write calls (wchar), those to sockets included.
 */
export const studies: readonly Study[] = [
  {
    runs: 1,
    units: {
      ...unitsOf('client', FLOWING),
      ...unitsOf('normd', UNITS),
      'peers.normd.ofClient': 'of 1',
      ...unitsOf('mosquitto', UNITS),
      ...unitsOf('mosquitto-autosave-1', UNITS),
      ...unitsOf('node-red', UNITS),
    },
    run: sideBySide,
    notes: () => absences,
  },
];
