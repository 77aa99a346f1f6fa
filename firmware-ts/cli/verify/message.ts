import { OperatingError } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';

export interface ReceivedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/**
 * A message in a line: `{"topic": …, "payload": hex or base64}`, or topic, space and hex as
 * `mosquitto_sub -F '%t %x'` prints it. Errors: `bad-line`, `bad-hex`.
 */
export function messageOf(line: string): ReceivedMessage {
  if (line.startsWith('{')) return fromJson(line);
  const space = line.lastIndexOf(' ');
  if (space <= 0) bad('neither JSON nor a topic, a space and hex');
  return { topic: line.slice(0, space), payload: fromHex(line.slice(space + 1).trim()) };
}

const HEX = /^(?:[0-9a-f]{2})*$/i;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** No payload of normd is hex digits throughout when it is written in base64. */
function fromJson(line: string): ReceivedMessage {
  const message = parse(line);
  const { topic, payload } = message as Readonly<Record<string, unknown>>;
  if (typeof topic !== 'string' || typeof payload !== 'string') bad('no topic and payload');
  if (HEX.test(payload)) return { topic, payload: fromHex(payload) };
  if (!BASE64.test(payload)) bad('the payload is neither hex nor base64');
  return { topic, payload: Buffer.from(payload, 'base64') };
}

function parse(line: string): object {
  try {
    return JSON.parse(line) as object; // it begins with a brace
  } catch (cause) {
    throw new OperatingError('bad-line', 'not JSON', { cause });
  }
}

function bad(message: string): never {
  throw new OperatingError('bad-line', message);
}
