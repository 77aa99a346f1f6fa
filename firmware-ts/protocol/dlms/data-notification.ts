import { Reader, Writer } from '#bytes/cursor.ts';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { APDU_TAG, apduName } from './apdu-tags.ts';
import { readData, writeData } from './axdr.ts';
import type { Data } from './data.ts';
import { DATE_TIME_BYTES } from './date-time.ts';
import type { Leniency } from './leniency.ts';

/** Data-Notification (IEC 62056-5-3, 8.4; service: 6.11). */
export interface DataNotification {
  /** As sent; `longInvokeIdFrom` takes it apart. */
  readonly longInvokeIdAndPriority: number;
  /** 12 bytes of date-time, or none. */
  readonly dateTime?: Uint8Array;
  /** Kaifa and others write the date-time as Data, with a tag that does not belong there. */
  readonly dateTimeTagged?: true;
  readonly body: Data;
  /** Set where the body ended before its count (see `Leniency`). */
  readonly defect?: Failure;
}

export interface LongInvokeId {
  readonly invokeId: number;
  readonly selfDescriptive: boolean;
  readonly breakOnError: boolean;
  readonly confirmed: boolean;
  readonly highPriority: boolean;
}

/** Long-Invoke-Id-And-Priority (IEC 62056-5-3, 8.4); bits 24 to 27 are reserved. */
export function longInvokeIdFrom(value: number): LongInvokeId {
  return {
    invokeId: value & 0x00ff_ffff,
    selfDescriptive: (value & 0x1000_0000) !== 0,
    breakOnError: (value & 0x2000_0000) !== 0,
    confirmed: (value & 0x4000_0000) !== 0,
    highPriority: (value & 0x8000_0000) !== 0,
  };
}

/** An octet string's tag, which has no place before an A-XDR OCTET STRING. */
export const STRAY_TAG = 0x09;

/**
 * Decodes an APDU that fills `apdu`. `integral` says that a frame check or a tag has vouched for
 * the bytes; only then a body that ends early is the meter's fault and is taken as far as it goes.
 * Errors: `unexpected-apdu`, `bad-date-time`, `trailing-bytes`, those of `readData`.
 */
export function decodeDataNotification(apdu: Uint8Array, integral = false): DataNotification {
  const reader = new Reader(apdu);
  const head = readHead(reader);
  const start = reader.offset;
  let first: unknown;
  for (const attempt of integral ? ATTEMPTS : STANDARD_ATTEMPTS) {
    reader.offset = start;
    try {
      return { ...head, ...attempt(reader) };
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}

type Body = Pick<DataNotification, 'body' | 'defect'>;

const STANDARD_ATTEMPTS: readonly ((reader: Reader) => Body)[] = [
  (reader) => ({ body: wholeBody(reader, {}) }),
  (reader) => ({ body: wholeBody(reader, { attributeDescriptors: true }) }),
  (reader) => ({ body: wholeBody(reader, { bareNames: true }) }),
];

const ATTEMPTS: typeof STANDARD_ATTEMPTS = [
  ...STANDARD_ATTEMPTS,
  (reader) => {
    let defect: Failure | undefined;
    const body = wholeBody(reader, { shortStructure: (error) => (defect = failureOf(error)) });
    return defect === undefined ? { body } : { body, defect };
  },
];

function wholeBody(reader: Reader, leniency: Leniency): Data {
  const body = readData(reader, leniency);
  if (reader.remaining === 0) return body;
  throw new OperatingError('trailing-bytes', `${reader.remaining} bytes after the body`, {
    offset: reader.offset,
    field: 'notification-body',
  });
}

type Head = Omit<DataNotification, 'body' | 'defect'>;

/** Everything before the body; leaves the reader there. */
function readHead(reader: Reader): Head {
  const tag = reader.u8('apdu-tag');
  if (tag !== APDU_TAG.dataNotification) {
    throw new OperatingError('unexpected-apdu', `${apduName(tag)} is no data-notification`, {
      offset: 0,
      field: 'apdu-tag',
    });
  }
  const longInvokeIdAndPriority = reader.u32('long-invoke-id-and-priority');
  const tagged = reader.peek() === STRAY_TAG;
  if (tagged) reader.advance(1);
  const offset = reader.offset;
  const length = reader.u8('date-time');
  if (length === 0 && !tagged) return { longInvokeIdAndPriority };
  if (length !== DATE_TIME_BYTES) {
    throw new OperatingError('bad-date-time', `${length} bytes instead of 0 or 12`, {
      offset,
      field: 'date-time',
    });
  }
  const dateTime = reader.take(length, 'date-time');
  return { longInvokeIdAndPriority, dateTime, ...(tagged ? { dateTimeTagged: true } : {}) };
}

export function encodeDataNotification(notification: DataNotification): Uint8Array {
  const { longInvokeIdAndPriority, dateTime, dateTimeTagged, body } = notification;
  const writer = new Writer().u8(APDU_TAG.dataNotification).u32(longInvokeIdAndPriority);
  if (dateTimeTagged === true) writer.u8(STRAY_TAG);
  if (dateTime === undefined) writer.u8(0);
  else writer.u8(dateTime.length).bytes(dateTime);
  return writeData(writer, body).finish();
}
