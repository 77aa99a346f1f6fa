/**
 * Many P1 meters in a process of their own: each connection is one. Tells over the channel on which
 * port they listen, and then when all of a load has been sent; each message to it is a load, of
 * which every observation is a telegram that says when it was written.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { crc16Arc } from '#bytes/crc.ts';
import { type Load, readingsOf, sharedMs } from './load.ts';

/** What meters say. */
export type MetersTold =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'sent'; readonly perSecond: number };

const sockets: Socket[] = [];
const tell = (told: MetersTold): void => void process.send?.(told);

const server = createServer((socket) => {
  socket.setNoDelay(true);
  sockets.push(socket);
}).listen(0, '127.0.0.1');
await once(server, 'listening');
process.on('message', (load: Load) => void sendAll(load));
tell({ kind: 'listening', port: (server.address() as AddressInfo).port });

async function sendAll(load: Load): Promise<void> {
  while (sockets.length < load.streams) await pause(10);
  const startMs = sharedMs();
  let next = 0;
  while (next < load.count) {
    const due = ((sharedMs() - startMs) * (load.perSecond ?? Infinity)) / 1000;
    for (; next < Math.min(load.count, due); next += 1) {
      sockets[next % load.streams]?.write(telegramOf(load, next));
    }
    await pause(1);
  }
  tell({ kind: 'sent', perSecond: (1000 * load.count) / (sharedMs() - startMs) });
}

/** DSMR 5.0.2 P1, 5.2, without a clock of its own. */
function telegramOf(load: Load, number: number): string {
  const lines = readingsOf(load, number).map(({ object, raw, scaler, unit }) => {
    const value = typeof raw === 'number' ? (raw / 10 ** -scaler).toFixed(-scaler) : String(raw);
    return `${object.replace('*255', '')}(${value}${unit === '' ? '' : `*${unit}`})`;
  });
  const text = ['/NRM5\\2BENCH', '', ...lines, '!'].join('\r\n');
  const crc = crc16Arc(Buffer.from(text, 'latin1')).toString(16).toUpperCase().padStart(4, '0');
  return `${text}${crc}\r\n`;
}
