import { latin1FromBytes } from '#bytes/text.ts';
import type { CosemItem } from '#protocol/cosem/lists.ts';
import { encodeData } from '#protocol/dlms/axdr.ts';
import type { Data } from '#protocol/dlms/data.ts';
import type { ClockStatus, CosemDateTime } from '#protocol/dlms/date-time.ts';
import {
  DATE_TIME_BYTES,
  dateTimeFrom,
  dateTimeText,
  localSecondOf,
} from '#protocol/dlms/date-time.ts';
import type { DlmsPushMessage } from '#protocol/dlms/push.ts';
import type { Observation, Quality, RawValue, Reading, TimeMark } from './reading.ts';

/** What a meter told, of its own accord or asked. */
export type CosemMessage = Pick<DlmsPushMessage, 'dateTime' | 'items' | 'unverified' | 'defect'>;

export interface FromCosemOptions {
  /**
   * Local time minus UTC in minutes for a meter that shows local time without saying which, given
   * its local time as seconds since 1970. Without it such a time is not used.
   */
  readonly localOffsetMin?: (localSecond: number) => number | undefined;
}

/**
 * The observation of a push. Its time is the meter's, by the notification or else by its clock
 * object, if that time names an instant; otherwise it is the arrival, marked as the gateway's,
 * while the clock object stays among the readings as the text that the meter showed.
 */
export function observationFromCosem(
  source: string,
  message: CosemMessage,
  arrival: TimeMark,
  options: FromCosemOptions = {},
): Observation {
  const clocks = [message.dateTime, ...message.items.map(clockOf)].filter(
    (clock) => clock !== undefined,
  );
  const shown = clocks.find((clock) => timeMarkOf(clock, options) !== undefined);
  const time = shown === undefined ? arrival : (timeMarkOf(shown, options) ?? arrival);
  const quality = qualityOf(message, shown ?? clocks[0]);
  return { source, time, quality, readings: message.items.flatMap(readingsOf) };
}

const CLOCK = /^0-\d+:1\.0\.0\*255$/;

function clockOf({ obis, value }: CosemItem): CosemDateTime | undefined {
  return CLOCK.test(obis) ? dateTimeOf(value) : undefined;
}

function dateTimeOf({ type, value }: Data): CosemDateTime | undefined {
  const bytes = type === 'octet-string' || type === 'date-time' ? value : undefined;
  return bytes?.length === DATE_TIME_BYTES ? dateTimeFrom(bytes) : undefined;
}

/** The instant, if the device or the configuration says how its local time stands to UTC. */
function timeMarkOf(clock: CosemDateTime, options: FromCosemOptions): TimeMark | undefined {
  const localSecond = localSecondOf(clock);
  if (localSecond === undefined) return undefined;
  const told = clock.deviation === undefined ? undefined : 0 - clock.deviation;
  const offset = told ?? options.localOffsetMin?.(localSecond);
  if (offset === undefined) return undefined;
  return {
    second: localSecond - offset * 60,
    nanosecond: (clock.hundredths ?? 0) * 10_000_000,
    clock: 'device',
    trust: told === undefined ? 'unknown' : trustOf(clock.clockStatus),
    ...(told === undefined ? {} : { localOffsetMin: told }),
  };
}

function trustOf(status: ClockStatus | undefined): TimeMark['trust'] {
  if (status === undefined || status.invalidStatus) return 'unknown';
  return status.invalidValue || status.doubtfulValue ? 'untrusted' : 'trusted';
}

function qualityOf(message: CosemMessage, clock: CosemDateTime | undefined): readonly Quality[] {
  const quality: Quality[] = [];
  if (message.unverified) quality.push('unverified');
  if (clock?.clockStatus?.doubtfulValue === true) quality.push('clock-unsynchronised');
  if (clock?.clockStatus?.invalidValue === true) quality.push('clock-invalid');
  if (message.defect !== undefined) quality.push('questionable');
  return quality;
}

/** One reading, or none for an object that the meter has no value for. */
function readingsOf(item: CosemItem): readonly Reading[] {
  const { obis, value, scaler = 0, unit = '' } = item;
  const raw = CLOCK.test(obis) ? clockText(value) : rawOf(value);
  if (raw === undefined) return [];
  const number = typeof raw === 'number' || typeof raw === 'bigint';
  return [{ object: obis, raw, scaler: number ? scaler : 0, unit: number ? unit : '' }];
}

function clockText(value: Data): RawValue | undefined {
  const clock = dateTimeOf(value);
  return clock === undefined ? rawOf(value) : dateTimeText(clock);
}

/** The value as it is; what has parts of its own stays in its encoded form. */
function rawOf(data: Data): RawValue | undefined {
  switch (data.type) {
    case 'null-data':
    case 'dont-care':
      return undefined;
    case 'octet-string':
      return textOf(data.value) ?? data.value;
    case 'bit-string':
      return data.value.bytes;
    case 'array':
    case 'structure':
    case 'compact-array':
    case 'cosem-attribute-descriptor':
      return encodeData(data);
    default:
      return data.value;
  }
}

/** Meters write serial numbers as octet strings, some filled up with zeros: shown as text. */
function textOf(bytes: Uint8Array): string | undefined {
  const padding = bytes.indexOf(0);
  const end = padding < 0 ? bytes.length : padding;
  const padded = bytes.subarray(end).every((byte) => byte === 0) && (end > 0 || padding < 0);
  const printable = bytes.subarray(0, end).every((byte) => byte >= 0x20 && byte < 0x7f);
  return padded && printable ? latin1FromBytes(bytes, 0, end) : undefined;
}
