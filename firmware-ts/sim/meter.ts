import { obisFrom } from '#protocol/cosem/obis.ts';
import { unitCode } from '#protocol/cosem/units.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { encodeDataNotification } from '#protocol/dlms/data-notification.ts';
import { encodeDateTime } from '#protocol/dlms/date-time.ts';
import { sealGeneralCiphering } from '#protocol/dlms/general-ciphering.ts';
import { joined } from '#protocol/dlms/octets.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';
import { machineAesGcm } from '#system/cipher.ts';
import type { Clock } from '#system/clock.ts';
import { uiFramesOf } from './cosem/ui-frames.ts';

export interface PushMeterOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Takes the bytes of one push; the caller knows where they go. */
  readonly write: (bytes: Uint8Array) => void;
  /** With keys the pushes are sealed, authenticated and encrypted. */
  readonly keys?: CipherKeys;
  readonly systemTitle?: Uint8Array;
  /** Information bytes a frame; smaller than a push, it comes in segments. */
  readonly segmentBytes?: number;
  /** The first invocation counter; a meter that restarts must not begin anew. */
  readonly invocationCounter?: number;
}

export interface PushMeter {
  stop(): void;
  /** Pushes written so far. */
  readonly sent: number;
}

const SYSTEM_TITLE = Uint8Array.from([0x4e, 0x52, 0x4d, 0x00, 0x00, 0x00, 0x00, 0x01]);
const SEGMENT_BYTES = 2000;

/**
 * A meter that pushes its registers as data-notifications in HDLC frames, with values that follow
 * from the time alone: 2 kW that swing by a quarter of an hour, counted up in Wh.
 */
export function startPushMeter(options: PushMeterOptions): PushMeter {
  const { clock, intervalMs } = options;
  const startedAt = clock.monotonic();
  let sent = 0;
  let cancel = clock.after(intervalMs, push);
  return {
    stop: () => cancel(),
    get sent() {
      return sent;
    },
  };

  function push(): void {
    cancel = clock.after(intervalMs, push);
    const hours = (clock.monotonic() - startedAt) / 3_600_000;
    const apdu = notificationOf(hours, clock.wall().second, sent);
    options.write(framesOf(sealed(apdu, options, sent), options.segmentBytes ?? SEGMENT_BYTES));
    sent += 1;
  }
}

const POWER_W = 2000;
const SWING_W = 600;
const SWINGS_PER_HOUR = 4;

/** Energy is the integral of the power shown, so that the registers agree with each other. */
function registersAt(hours: number): { readonly powerW: number; readonly energyWh: number } {
  const angle = 2 * Math.PI * SWINGS_PER_HOUR * hours;
  const swungWh = (SWING_W * (1 - Math.cos(angle))) / (2 * Math.PI * SWINGS_PER_HOUR);
  return {
    powerW: Math.round(POWER_W + SWING_W * Math.sin(angle)),
    energyWh: 12_345_678 + Math.floor(POWER_W * hours + swungWh),
  };
}

function notificationOf(hours: number, second: number, sequence: number): Uint8Array {
  const { powerW, energyWh } = registersAt(hours);
  const voltage = 2300 + (sequence % 7);
  const current = Math.round((powerW * 1000) / voltage);
  const body: Data = {
    type: 'array',
    value: [
      text('1-1:0.2.129*255', 'NORMD_V0001'),
      text('0-0:96.1.0*255', '7359992890000001'),
      register('1-0:1.7.0*255', { type: 'double-long-unsigned', value: powerW }, 0, 'W'),
      register('1-0:2.7.0*255', { type: 'double-long-unsigned', value: 0 }, 0, 'W'),
      register('1-0:31.7.0*255', { type: 'long-unsigned', value: current }, -2, 'A'),
      register('1-0:32.7.0*255', { type: 'long-unsigned', value: voltage }, -1, 'V'),
      register('1-0:1.8.0*255', { type: 'double-long-unsigned', value: energyWh }, 0, 'Wh'),
      register('1-0:2.8.0*255', { type: 'double-long-unsigned', value: 0 }, 0, 'Wh'),
    ],
  };
  const longInvokeIdAndPriority = sequence % 0x100_0000;
  return encodeDataNotification({ longInvokeIdAndPriority, dateTime: utcDateTime(second), body });
}

/** UTC, so that nothing has to be known about the place. */
export function utcDateTime(second: number): Uint8Array {
  const date = new Date(second * 1000);
  return encodeDateTime({
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    dayOfWeek: date.getUTCDay() === 0 ? 7 : date.getUTCDay(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    hundredths: 0,
    deviation: 0,
    clockStatus: {
      invalidValue: false,
      doubtfulValue: false,
      differentClockBase: false,
      invalidStatus: false,
      daylightSaving: false,
    },
  });
}

function text(obis: string, value: string): Data {
  return { type: 'structure', value: [name(obis), { type: 'visible-string', value }] };
}

function register(obis: string, value: Data, scaler: number, unit: string): Data {
  const scale: Data = {
    type: 'structure',
    value: [
      { type: 'integer', value: scaler },
      { type: 'enum', value: unitCode(unit) ?? 255 },
    ],
  };
  return { type: 'structure', value: [name(obis), value, scale] };
}

function name(obis: string): Data {
  return { type: 'octet-string', value: obisFrom(obis) };
}

function sealed(apdu: Uint8Array, options: PushMeterOptions, sent: number): Uint8Array {
  const { keys, systemTitle = SYSTEM_TITLE, invocationCounter = 1 } = options;
  if (keys === undefined) return apdu;
  const authenticated = keys.authentication !== undefined;
  return sealGeneralCiphering(apdu, {
    systemTitle,
    securityControl: {
      suite: 0,
      authenticated,
      encrypted: true,
      broadcastKey: false,
      compressed: false,
    },
    invocationCounter: invocationCounter + sent,
    keys,
    cipher: machineAesGcm,
  });
}

function framesOf(apdu: Uint8Array, segmentBytes: number): Uint8Array {
  const destination = { upper: 0x20, length: 1 } as const;
  const source = { upper: 1, lower: 17, length: 2 } as const;
  return joined(...uiFramesOf(apdu, { destination, source, segmentBytes }));
}
