import { setTimeout as pause } from 'node:timers/promises';
import { startScriptedBroker, welcome5 } from '../support/scripted-broker.ts';
import { sharedMs, stampsIn } from './load.ts';

/** CONNACK accepted, MQTT 3.1.1. */
const WELCOME_311 = Uint8Array.of(0x20, 2, 0, 0);
const QUIET_POLL_MS = 50;

/** A broker on loopback that answers each message at once, and what it has got. */
export interface Receiver {
  readonly port: number;
  readonly url: string;
  /** When the first message came. */
  readonly first: Promise<number>;
  readonly messages: number;
  readonly bytes: number;
  /** By their number, when the first copy of each was sent and how long it took, in ms. */
  readonly stamped: ReadonlyMap<number, { readonly sentMs: number; readonly latencyMs: number }>;
  /** Settles with `count` stamps, or when nothing has come for `quietMs`. */
  settled(count: number, quietMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** Presence (`st`) and manifests (`mf`) are no deliveries. */
const DELIVERY = /\/(up|lv)\//;

export async function startReceiver(port = 0): Promise<Receiver> {
  const stamped = new Map<number, { sentMs: number; latencyMs: number }>();
  const first = Promise.withResolvers<number>();
  let [messages, bytes, lastMs] = [0, 0, sharedMs()];
  const script = {
    welcome: (level: number) => (level === 5 ? welcome5() : WELCOME_311),
    answer({ topic, payload }: { topic: string; payload: Uint8Array }) {
      if (!DELIVERY.test(topic)) return 0;
      const now = sharedMs();
      first.resolve(now);
      [messages, bytes, lastMs] = [messages + 1, bytes + payload.length, now];
      for (const { ms, number } of stampsIn(payload)) {
        if (!stamped.has(number)) stamped.set(number, { sentMs: ms, latencyMs: now - ms });
      }
      return 0;
    },
  };
  const broker = await startScriptedBroker(script, port);
  return {
    port: broker.port,
    url: `mqtt://127.0.0.1:${broker.port}`,
    first: first.promise,
    get messages() {
      return messages;
    },
    get bytes() {
      return bytes;
    },
    stamped,
    async settled(count, quietMs) {
      lastMs = sharedMs();
      while (stamped.size < count && sharedMs() - lastMs < quietMs) await pause(QUIET_POLL_MS);
    },
    stop: () => broker.stop(),
  };
}
