import assert from 'node:assert/strict';
import { fromHex } from '#bytes/hex.ts';
import type { ConnectionEvent } from '#protocol/connection.ts';
import type { DlmsPushMessage, DlmsPushOptions } from '#protocol/dlms/push.ts';
import { DlmsPushConnection } from '#protocol/dlms/push.ts';
import { flagged } from '#protocol/hdlc/framer.ts';
import type { Observation, TimeMark } from '#reading/reading.ts';
import { valueOf } from '#reading/reading.ts';
import { machineAesGcm } from '#system/cipher.ts';
import type { MeterVector } from '../support/vectors.ts';
import { meterVectors, withoutVectors } from '../support/vectors.ts';

export const SKIP = { skip: withoutVectors };
export const ARRIVAL: TimeMark = { second: 1, nanosecond: 0, clock: 'gateway', trust: 'unknown' };
/** Long after every deadline of a connection. */
const LATE_MS = 1_000_000;

export type Event = ConnectionEvent<DlmsPushMessage>;
export type Framing = DlmsPushOptions['framing'];

export const PUSHED = meterVectors('dlms/push', [
  'apdu/push',
  'apdu/DataNotification',
  'hdlc/push',
  'mbus/push',
]);
export const FRAMES = meterVectors('dlms/push', ['hdlc/push', 'hdlc/frame', 'hdlc/frame-no-flags']);
export const CIPHERED = meterVectors('dlms/push', ['wrapper/udp', 'apdu/GeneralGloCiphering']);

/** The dump holds the first of three segments only; the rest is tested from its decoded form. */
export const FIRST_SEGMENT_ONLY = 'hdlc_iskra550';
/** Claims twelve elements, brings eight and a half: real meters do, the frame check holds. */
export const SHORT_LIST = 'nodedsmr-dlms-iskra-1';
/** Two telegrams, then twice the key that the file's author left behind them. */
export const AUSTRIA = 'nodedsmr-m-bus-austria-example-1';
export const KEY_BYTES = 16;

export function bytesOf(vector: MeterVector): Uint8Array {
  const bytes = fromHex(vector.hex);
  return vector.kind === 'hdlc/frame-no-flags' ? flagged(bytes) : bytes;
}

export function framingOf(vector: MeterVector): Framing {
  const [first] = vector.kind.split('/');
  return first === 'hdlc' || first === 'mbus' || first === 'wrapper' ? first : 'raw';
}

export function keysOf(vector: MeterVector): NonNullable<DlmsPushOptions['keys']> {
  if (vector.id === AUSTRIA) return { encryption: bytesOf(vector).slice(-KEY_BYTES) };
  const { guek = null, gak = null } = vector.keys ?? {};
  return {
    ...(guek === null ? {} : { encryption: fromHex(guek) }),
    ...(gak === null ? {} : { authentication: fromHex(gak) }),
  };
}

export interface Run {
  readonly framing?: Framing;
  readonly chunk?: number;
  readonly keys?: NonNullable<DlmsPushOptions['keys']>;
  readonly authentication?: DlmsPushOptions['authentication'];
}

export function eventsOf(vector: MeterVector, bytes: Uint8Array, run: Run = {}): readonly Event[] {
  const connection = new DlmsPushConnection({
    framing: run.framing ?? framingOf(vector),
    keys: run.keys ?? keysOf(vector),
    authentication: run.authentication ?? 'if-key',
    cipher: machineAesGcm,
    silentMs: Infinity,
  });
  connection.start(0);
  const chunk = run.chunk ?? bytes.length;
  const events: Event[] = [];
  for (let start = 0; start < bytes.length; start += chunk) {
    events.push(...connection.receive(bytes.slice(start, start + chunk), 0).events);
  }
  events.push(...connection.expire(LATE_MS).events);
  assert.equal(connection.deadline, Infinity, 'nothing is left waiting');
  return events;
}

export function messagesOf(events: readonly Event[]): readonly DlmsPushMessage[] {
  return events.flatMap((event) => (event.kind === 'message' ? [event.message] : []));
}

export function codesOf(events: readonly Event[]): readonly string[] {
  return events.flatMap((event) => (event.kind === 'message' ? [] : [event.failure.code]));
}

export function onlyMessage(vector: MeterVector): DlmsPushMessage {
  const [message, ...others] = messagesOf(eventsOf(vector, bytesOf(vector)));
  assert.equal(others.length, 0);
  assert.ok(message, vector.id);
  return message;
}

export function whole(vector: MeterVector): boolean {
  return vector.id !== FIRST_SEGMENT_ONLY;
}

/** Values by `A.B.C.D.E.F`, as the oracles write their codes. */
export function dotted(
  observation: Observation,
): ReadonlyMap<string, { value: unknown; raw: unknown }> {
  return new Map(
    observation.readings.map((reading) => [
      reading.object.replace(/[-:*]/g, '.'),
      { value: valueOf(reading), raw: reading.raw },
    ]),
  );
}
