import type { FrameHead } from './frame.ts';
import type { Format } from './words.ts';

/** What makes DATA frames readable: CFG-1, CFG-2 or CFG-3 (C37.118.2-2011, 6.4 and 6.5). */
export interface Configuration {
  readonly head: FrameHead;
  /** Units of FRACSEC in a second, 1 … 16 777 215. */
  readonly timeBase: number;
  readonly pmus: readonly PmuConfiguration[];
  /** Frames per second where positive, seconds per frame where negative. */
  readonly dataRate: number;
}

export interface PmuConfiguration {
  readonly stationName: string;
  readonly idCode: number;
  readonly format: Format;
  readonly phasors: readonly PhasorChannel[];
  readonly analogs: readonly AnalogChannel[];
  readonly digitals: readonly DigitalChannel[];
  /** FNOM in Hz. */
  readonly nominalFrequency: 50 | 60;
  /** CFGCNT, incremented with every change. */
  readonly changeCount: number;
  /** Told by CFG-3 alone. */
  readonly site?: PmuSite;
}

export interface PhasorChannel {
  readonly name: string;
  readonly quantity: 'voltage' | 'current';
  readonly scale: PhasorScale;
}

export type PhasorScale =
  /** PHUNIT: 10^-5 V or A for one step of a 16-bit phasor; floating-point phasors ignore it. */
  | { readonly kind: 'phunit'; readonly factor: number }
  /** PHSCALE: V or A for one step, and an angle in rad that is taken off every phasor. */
  | {
      readonly kind: 'phscale';
      readonly factor: number;
      readonly angleOffset: number;
      /** What was done to the phasor (Table 11): bit-mapped, as sent. */
      readonly modifications: number;
      /** Phasor component: 0 zero, 1 positive, 2 negative sequence, 4 A, 5 B, 6 C. */
      readonly component: number;
      readonly user: number;
    };

export interface AnalogChannel {
  readonly name: string;
  readonly scale: AnalogScale;
}

export type AnalogScale =
  /** ANUNIT: 0 point on wave, 1 root mean square, 2 peak, 5 … 64 reserved, 65 … user's; factor. */
  | { readonly kind: 'anunit'; readonly type: number; readonly factor: number }
  /** ANSCALE: value = factor × sent + offset. */
  | { readonly kind: 'anscale'; readonly factor: number; readonly offset: number };

export interface DigitalChannel {
  /** Sixteen names, that of the least significant bit first. */
  readonly names: readonly string[];
  /** Bit set: the input's normal state is 1. */
  readonly normalMask: number;
  /** Bit set: the input is in use. */
  readonly validMask: number;
}

export interface PmuSite {
  /** G_PMU_ID, 16 bytes (RFC 4122). */
  readonly globalId: Uint8Array;
  /** Degrees north and east (WGS 84), metres; infinite where unknown. */
  readonly latitude: number;
  readonly longitude: number;
  readonly elevation: number;
  /** `M` or `P` (C37.118.1). */
  readonly serviceClass: string;
  /** Length of the measuring window and group delay, both in µs. */
  readonly window: number;
  readonly groupDelay: number;
}

export interface DigitalInput {
  readonly name: string;
  readonly on: boolean;
  readonly normal: boolean;
  readonly inUse: boolean;
}

/** The sixteen inputs that a digital status word holds. */
export function digitalInputs(channel: DigitalChannel, word: number): readonly DigitalInput[] {
  return channel.names.map((name, bit) => ({
    name,
    on: bitOf(word, bit),
    normal: bitOf(word, bit) === bitOf(channel.normalMask, bit),
    inUse: bitOf(channel.validMask, bit),
  }));
}

function bitOf(word: number, bit: number): boolean {
  return ((word >>> bit) & 1) === 1;
}

/** Seconds between DATA frames; 0 where frames come only when something happens. */
export function framePeriodSeconds(dataRate: number): number {
  if (dataRate === 0) return 0;
  return dataRate > 0 ? 1 / dataRate : -dataRate;
}
