import { decode, Tag } from 'cbor2';
import { connectAsync } from 'mqtt';
import { readFile } from 'node:fs/promises';

/** One SenML record as an independent decoder sees it: RFC 8428's integer labels, and ours. */
export type Record = ReadonlyMap<unknown, unknown>;

/** A pack as the head-end sees it. */
export interface Received {
  readonly topic: string;
  readonly retained: boolean;
  /** Base name of the first record: `{gateway}/{stream}/`. */
  readonly baseName: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly count: number;
  readonly records: readonly Record[];
}

export interface SubscriberOptions {
  readonly url: string;
  /** Paths of PEM files. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly topics?: readonly string[];
  /** Opens a payload that is in an envelope. */
  readonly unwrap?: (payload: Uint8Array) => Uint8Array;
}

export interface Subscriber {
  readonly packs: readonly Received[];
  /** Everything as it came. */
  readonly messages: readonly { readonly topic: string; readonly payload: Uint8Array }[];
  /** Messages of `nd/1/+/st`, parsed. */
  readonly presences: readonly unknown[];
  /** Settles when what has arrived satisfies `enough`; looks again at each arrival. */
  until(enough: () => boolean): Promise<void>;
  /** At QoS 1. */
  publish(topic: string, payload: string): Promise<void>;
  stop(): Promise<void>;
}

const BASE_NAME = -2;
const KEY_LABEL = 'k';

/** A head-end in small: subscribes at QoS 1 and decodes with a decoder that is not ours. */
export async function startSubscriber(options: SubscriberOptions): Promise<Subscriber> {
  const client = await connectAsync(options.url, {
    protocolVersion: 5,
    ca: await readFile(options.ca),
    cert: await readFile(options.certificate),
    key: await readFile(options.key),
    clientId: `subscriber-${process.pid}`,
    clean: false,
    properties: { sessionExpiryInterval: 3600 },
    reconnectPeriod: 50,
  });
  const unwrap = options.unwrap ?? ((payload: Uint8Array) => payload);
  const messages: Subscriber['messages'][number][] = [];
  const packs: Received[] = [];
  const presences: unknown[] = [];
  const waiting = new Set<() => void>();
  client.on('error', () => undefined); // it reconnects by itself
  client.on('message', (topic, payload, packet) => {
    messages.push({ topic, payload });
    if (topic.endsWith('/st')) presences.push(JSON.parse(payload.toString()));
    else if (/\/(up|lv)\//.test(topic)) packs.push(received(topic, unwrap(payload), packet.retain));
    for (const look of waiting) look();
  });
  await client.subscribeAsync([...(options.topics ?? ['nd/1/#'])], { qos: 1 });
  return {
    packs,
    messages,
    presences,
    until: (enough) => untilTrue(waiting, enough),
    async publish(topic, payload) {
      await client.publishAsync(topic, payload, { qos: 1 });
    },
    stop: () => client.endAsync(true),
  };
}

/** A SenML value as a number; a decimal fraction (RFC 8949, 3.4.4) becomes the nearest one. */
export function numberOf(value: unknown): number {
  if (!(value instanceof Tag) || value.tag !== 4) return Number(value);
  const [exponent, mantissa] = value.contents as readonly [number, number];
  return exponent < 0 ? mantissa / 10 ** -exponent : mantissa * 10 ** exponent;
}

/** A claim that fails on the way fails the wait, not the client. */
function untilTrue(waiting: Set<() => void>, enough: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      try {
        if (!enough()) return;
        resolve();
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
      waiting.delete(look);
    };
    waiting.add(look);
    look();
  });
}

function received(topic: string, payload: Uint8Array, retained: boolean): Received {
  const records = decode<readonly Record[]>(payload, { preferMap: true });
  const [first] = records;
  const [epoch, sequence, count] = first?.get(KEY_LABEL) as readonly [number, number, number];
  const baseName = String(first?.get(BASE_NAME));
  return { topic, retained, baseName, epoch, sequence, count, records };
}
