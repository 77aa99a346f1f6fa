/**
 * Feeds messages in a process of its own: over MQTT at QoS 1 to a broker, or as lines to a TCP
 * port. Each message to it is a `FeedOrder`; tells `fed` when all is acknowledged or written.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { stamp } from '../load.ts';
import { type Feed, MESSAGE_BYTES, TOPIC } from './peer.ts';

export interface FeedOrder extends Feed {
  readonly over: 'mqtt' | 'lines';
  readonly port: number;
}

/** Messages that wait for their acknowledgement. */
const IN_FLIGHT = 1_000;

type Send = (message: string) => Promise<unknown>;

process.on('message', (order: FeedOrder) => void carryOut(order));

async function carryOut(order: FeedOrder): Promise<void> {
  if (order.over === 'mqtt') await overMqtt(order);
  else await asLines(order);
  process.send?.('fed');
}

async function overMqtt(order: FeedOrder): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${order.port}`, { protocolVersion: 5 });
  await feedAll(order, (message) => client.publishAsync(TOPIC, message, { qos: 1 }));
  client.end(true);
}

async function asLines(order: FeedOrder): Promise<void> {
  const socket = connect(order.port, '127.0.0.1').setNoDelay(true);
  await once(socket, 'connect');
  await feedAll(order, (message) => {
    return new Promise((resolve) => socket.write(`${message}\n`, resolve));
  });
  socket.end();
}

async function feedAll({ count, perSecond, stamped }: Feed, send: Send): Promise<void> {
  const startMs = performance.now();
  let [next, waiting] = [0, 0];
  while (next < count || waiting > 0) {
    const elapsedMs = performance.now() - startMs;
    const due = perSecond === undefined ? count : Math.min(count, (elapsedMs * perSecond) / 1000);
    for (; next < due && waiting < IN_FLIGHT; next += 1) {
      waiting += 1;
      void send((stamped ? stamp(next) : '').padEnd(MESSAGE_BYTES, '.')).then(() => (waiting -= 1));
    }
    await pause(1);
  }
}
