import { startWay, type Way } from '#sim/way.ts';
import { PLACE_BYTES } from '#uplink/send-window.ts';
import type { Study } from './bench.ts';
import { filledFolder, QUEUED_READINGS } from './filled.ts';
import { mean } from './figures.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { Sender } from './senders.ts';

/** A message there, its acknowledgement back. */
const WAY_MS = 50;
/** Of the backlog, acknowledged: the window has grown by then, and is not yet without work. */
const [FROM, TO] = [0.3 * QUEUED_READINGS, 0.9 * QUEUED_READINGS];
/** 20 Mbit/s, as of a good mobile link: what it holds in 100 ms is sixty places of the window. */
const LINK_BYTES_PER_SECOND = 2_500_000;

interface Passed {
  readonly seconds: number;
  readonly messages: number;
  readonly payloadBytes: number;
  readonly linkBytes: number;
  /** Means of the window: messages that may be in flight, and that are. */
  readonly open: number;
  readonly flying: number;
}

/** Drains a backlog over a way so wide. */
async function pass(bytesPerSecond: number): Promise<Passed> {
  const receiver = await startReceiver();
  const way = await startWay({ to: receiver.port });
  way.weather({ delayMs: WAY_MS, bytesPerSecond }, { delayMs: WAY_MS });
  const sender = new Sender(await filledFolder(), `mqtt://127.0.0.1:${way.port}`);
  try {
    return await measured(sender, receiver, way);
  } finally {
    await sender.kill();
    await way.stop();
    await receiver.stop();
  }
}

async function measured(sender: Sender, receiver: Receiver, way: Way): Promise<Passed> {
  await sender.status(({ readingsAcknowledged }) => readingsAcknowledged >= FROM);
  const { messages, bytes } = receiver;
  const [startMs, carried] = [performance.now(), way.carriedBytes];
  const windows: { open: number; used: number }[] = [];
  await sender.status(({ window, readingsAcknowledged }) => {
    if (window !== undefined) windows.push({ open: window.messagesMax, used: window.messages });
    return readingsAcknowledged >= TO;
  });
  return {
    seconds: (performance.now() - startMs) / 1000,
    messages: receiver.messages - messages,
    payloadBytes: receiver.bytes - bytes,
    linkBytes: way.carriedBytes - carried,
    open: mean(windows.map((window) => window.open)),
    flying: mean(windows.map((window) => window.used)),
  };
}

/** Over a link of a known width: the share of it that is in use. */
async function narrow(): Promise<Readonly<Record<string, number>>> {
  const { seconds, linkBytes, messages, flying } = await pass(LINK_BYTES_PER_SECOND);
  return {
    'longway.link': LINK_BYTES_PER_SECOND,
    'longway.carried': linkBytes / seconds,
    'longway.full': linkBytes / seconds / LINK_BYTES_PER_SECOND,
    'longway.answered': (1000 * flying * seconds) / messages,
  };
}

/** As wide as the machine makes it: how full the window is kept. */
async function wide(): Promise<Readonly<Record<string, number>>> {
  const { seconds, messages, payloadBytes, open, flying } = await pass(Infinity);
  return {
    'longway.wide.messages': messages / seconds,
    'longway.wide.bytes': payloadBytes / seconds,
    'longway.wide.window': open,
    'longway.wide.flying': flying,
    'longway.wide.messagesUsed': flying / open,
    'longway.wide.bytesUsed': (flying * payloadBytes) / messages / (open * PLACE_BYTES),
    'longway.wide.answered': (1000 * flying * seconds) / messages,
  };
}

/**
 * A backlog over a way on which each acknowledgement takes 100 ms. `answered` is the time that
 * messages are in flight: 100 ms, what they wait for the link, and what the machine adds. On the
 * wide way the window binds messages and, where they are large, their bytes: the greater of the
 * shares used says how full it is kept.
 */
export const studies: readonly Study[] = [
  {
    runs: 3,
    units: {
      'longway.link': 'B/s',
      'longway.carried': 'B/s',
      'longway.full': 'of 1',
      'longway.answered': 'ms',
    },
    run: narrow,
  },
  {
    runs: 1,
    units: {
      'longway.wide.messages': 'messages/s',
      'longway.wide.bytes': 'B/s',
      'longway.wide.window': 'messages',
      'longway.wide.flying': 'messages',
      'longway.wide.messagesUsed': 'of 1',
      'longway.wide.bytesUsed': 'of 1',
      'longway.wide.answered': 'ms',
    },
    run: wide,
  },
];
