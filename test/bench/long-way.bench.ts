import { startLongWay } from '../crash/long-way.ts';
import type { Study } from './bench.ts';
import { filledFolder, QUEUED_READINGS } from './filled.ts';
import { mean } from './figures.ts';
import { startReceiver } from './receiver.ts';
import { Sender } from './senders.ts';

/** A message there, its acknowledgement back. */
const WAY_MS = 50;
/** Of the backlog, acknowledged: the window has grown by then, and is not yet without work. */
const [FROM, TO] = [0.3 * QUEUED_READINGS, 0.9 * QUEUED_READINGS];

/** Of messages in flight, for each place of the window (uplink/send-window.ts). */
const PLACE_BYTES = 4096;

async function longWay(): Promise<Readonly<Record<string, number>>> {
  const receiver = await startReceiver();
  const way = await startLongWay(receiver.port, WAY_MS);
  const sender = new Sender(await filledFolder(), `mqtt://127.0.0.1:${way.port}`);
  try {
    await sender.status(({ readingsAcknowledged }) => readingsAcknowledged >= FROM);
    const before = { messages: receiver.messages, bytes: receiver.bytes, ms: performance.now() };
    const windows: { open: number; used: number }[] = [];
    await sender.status(({ window, readingsAcknowledged }) => {
      if (window !== undefined) windows.push({ open: window.messagesMax, used: window.messages });
      return readingsAcknowledged >= TO;
    });
    const seconds = (performance.now() - before.ms) / 1000;
    const messages = (receiver.messages - before.messages) / seconds;
    const bytes = (receiver.bytes - before.bytes) / seconds;
    const open = mean(windows.map((window) => window.open));
    const used = mean(windows.map((window) => window.used));
    return {
      'longway.messages': messages,
      'longway.bytes': bytes,
      'longway.window': open,
      'longway.flying': used,
      'longway.messagesUsed': used / open,
      'longway.bytesUsed': (used * bytes) / messages / (open * PLACE_BYTES),
      'longway.answered': (1000 * used) / messages,
    };
  } finally {
    await sender.kill();
    await way.stop();
    await receiver.stop();
  }
}

/**
 * A backlog over a way on which each acknowledgement takes 100 ms. The window binds messages and,
 * where they are large, their bytes: the greater of the shares used says how full it is kept.
 * `answered` is the time that messages are in flight: 100 ms, and what the machine adds.
 */
export const studies: readonly Study[] = [
  {
    runs: 3,
    units: {
      'longway.messages': 'messages/s',
      'longway.bytes': 'B/s',
      'longway.window': 'messages',
      'longway.flying': 'messages',
      'longway.messagesUsed': 'of 1',
      'longway.bytesUsed': 'of 1',
      'longway.answered': 'ms',
    },
    run: longWay,
  },
];
