import { failureOf, type Failure } from '#bytes/failure.ts';
import { wrapPayload, type Compression } from '#contract/envelope.ts';
import { bytesFromUtf8 } from '#bytes/text.ts';
import { encodePack } from '#reading/senml.ts';
import { jsonOfPack } from '#reading/senml-json.ts';
import type { Outgoing } from './lane.ts';
import type { Pack } from './pack.ts';
import type { Message, Session } from './session.ts';
import type { Topics } from './topics.ts';

/** Topic, base name and key around the records of an entry, names of the longest sort. */
export const PIECE_MARGIN_BYTES = 320;

/** Media types of RFC 8428, 12.3. */
export type PayloadFormat = 'senml+cbor' | 'senml+json';

/** Of records as they are stored; in JSON a label of one octet takes four, a number up to four. */
export const GROWTH: Readonly<Record<PayloadFormat, number>> = { 'senml+cbor': 1, 'senml+json': 4 };

/** Fixed header, topic length, packet identifier and topic alias (MQTT 5, 3.3). */
export const PUBLISH_OVERHEAD_BYTES = 16;

export interface Wrapping {
  readonly gateway: string;
  readonly topics: Topics;
  readonly format: PayloadFormat;
  /** Absent where payloads go as they are. */
  readonly compression?: Compression;
}

/** Errors: `bad-name` where no topic can be made of the stream, those of the encoder. */
export function messageOf({ kind, pack }: Outgoing, wrapping: Wrapping): Message {
  const { gateway, topics, format, compression } = wrapping;
  const { stream, entries } = pack;
  const [{ epoch, sequence }] = entries;
  const key = { gateway, stream, epoch, sequence, count: observationsIn(pack) };
  const cbor = encodePack(key, entries);
  const bare = format === 'senml+json' ? bytesFromUtf8(jsonOfPack(cbor)) : cbor;
  const payload = compression === undefined ? bare : wrapPayload(bare, compression);
  return { topic: kind === 'up' ? topics.up(stream) : topics.live(stream), payload };
}

export function observationsIn({ entries }: Pack): number {
  return entries.reduce((sum, entry) => sum + entry.count, 0);
}

/** What `message` takes of the broker's maximum packet size; its texts are ASCII. */
export function packetBytesOf({ topic, payload }: Message): number {
  return payload.length + topic.length + PUBLISH_OVERHEAD_BYTES;
}

/** Why `message` must not be sent over `session` (MQTT 5, 3.2.2.3.6), if so. */
export function tooLargeFor(
  { packetBytesMax }: Pick<Session, 'packetBytesMax'>,
  message: Message,
): Failure | undefined {
  const bytes = packetBytesOf(message);
  if (bytes <= packetBytesMax) return undefined;
  return {
    code: 'packet-too-large',
    message: `a packet of ${bytes} bytes, the broker takes ${packetBytesMax}`,
    hint: 'Raise the maximum packet size on the broker.',
  };
}

/** No payload can be made of it, or no topic of its name. */
export function unencodable(error: unknown): Failure {
  const { code, message } = failureOf(error);
  return { code: 'unencodable', message: `${message} (${code})` };
}
