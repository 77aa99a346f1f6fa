import { crc16Arc } from '#bytes/crc.ts';
import { bytesFromLatin1 } from '#bytes/text.ts';
import { p1TimeText } from '#protocol/p1/time.ts';
import type { Clock } from '#system/clock.ts';

export interface P1MeterOptions {
  readonly clock: Clock;
  /** DSMR 5 meters send every second, DSMR 4 every ten. */
  readonly intervalMs: number;
  readonly write: (bytes: Uint8Array) => void;
}

export interface P1Meter {
  /** Telegrams written so far. */
  readonly sent: number;
  stop(): void;
}

/** A three-phase DSMR 5 meter with a gas meter behind it; the first telegram comes at once. */
export function startP1Meter({ clock, intervalMs, write }: P1MeterOptions): P1Meter {
  const startMs = clock.monotonic();
  let sent = 0;
  let cancel: () => void = () => undefined;
  const send = (): void => {
    // The next one is due by the start, not by the last: a late timer does not shift the rest.
    const nextMs = startMs + (sent + 1) * intervalMs;
    cancel = clock.after(Math.max(0, nextMs - clock.monotonic()), send);
    write(p1TelegramAt(clock.wall().second, (sent * intervalMs) / 1000));
    sent += 1;
  };
  cancel = clock.after(0, send);
  return {
    get sent() {
      return sent;
    },
    stop: () => cancel(),
  };
}

/** A register counts watt-hours. */
const WATT_SECONDS_PER_COUNT = 3600;

/** The telegram of a UTC second, `runSeconds` after the meter's start; winter time, UTC+1. */
export function p1TelegramAt(utcSecond: number, runSeconds: number): Uint8Array {
  const watts = [1, 2, 3].map((phase) => wattsOf(phase, runSeconds));
  const total = watts.reduce((sum, one) => sum + one, 0);
  const energy = Math.floor(energyJoules(runSeconds) / WATT_SECONDS_PER_COUNT);
  const localSecond = utcSecond + 3600;
  const gasSecond = localSecond - (localSecond % 300);
  const lines = [
    '/NRM5\\2SIMULATED',
    '',
    '1-3:0.2.8(50)',
    `0-0:1.0.0(${p1TimeText({ localSecond, summer: false })})`,
    '0-0:96.1.1(4E524D2D53494D2D30303031)',
    `1-0:1.8.1(${thousandths(4426_000 + energy, 6)}*kWh)`,
    `1-0:1.8.2(${thousandths(2399_000, 6)}*kWh)`,
    `1-0:2.8.1(${thousandths(0, 6)}*kWh)`,
    `1-0:2.8.2(${thousandths(0, 6)}*kWh)`,
    '0-0:96.14.0(0001)',
    `1-0:1.7.0(${thousandths(total, 2)}*kW)`,
    '1-0:2.7.0(00.000*kW)',
    '0-0:96.7.21(00003)',
    '0-0:96.7.9(00001)',
    ...watts.map((one, index) => `1-0:${32 + 20 * index}.7.0(${230 - (one % 3)}.0*V)`),
    ...watts.map((one, index) => `1-0:${21 + 20 * index}.7.0(${thousandths(one, 2)}*kW)`),
    '0-1:24.1.0(003)',
    '0-1:96.1.0(4E524D2D4741532D30303031)',
    `0-1:24.2.1(${p1TimeText({ localSecond: gasSecond, summer: false })})(00012.345*m3)`,
    '!',
  ];
  return checked(lines.join('\r\n'));
}

const BASE_WATTS = 150;
const SWING_WATTS = 100;
const SWING_SECONDS = 600;

/** A household's phase: a base load and something that comes and goes. */
function wattsOf(phase: number, seconds: number): number {
  const swing = Math.sin((2 * Math.PI * seconds) / SWING_SECONDS + phase);
  return Math.round(BASE_WATTS * phase + SWING_WATTS * swing);
}

/** The integral of the base load and of the swings, which never take more than the base gives. */
function energyJoules(seconds: number): number {
  const angle = (2 * Math.PI) / SWING_SECONDS;
  const swings = [1, 2, 3].map(
    (phase) => (SWING_WATTS / angle) * (Math.cos(phase) - Math.cos(angle * seconds + phase)),
  );
  return BASE_WATTS * 6 * seconds + swings.reduce((sum, one) => sum + one, 0);
}

function thousandths(count: number, wholeDigits: number): string {
  const digits = String(count).padStart(wholeDigits + 3, '0');
  return `${digits.slice(0, -3)}.${digits.slice(-3)}`;
}

/** A text that ends with `!`, and its CRC16 (DSMR 5.0.2 P1, 5.2). */
function checked(text: string): Uint8Array {
  const crc = crc16Arc(bytesFromLatin1(text)).toString(16).toUpperCase().padStart(4, '0');
  return bytesFromLatin1(`${text}${crc}\r\n`);
}
