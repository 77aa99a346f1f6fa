import { crcCcitt } from '#bytes/crc.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Configuration, PmuConfiguration } from './configuration.ts';
import type { Frame } from './frame.ts';
import { CHK_BYTES, FRAME_BYTES_MAX, HEAD_BYTES, SYNC_LEAD } from './frame.ts';
import type { Format } from './words.ts';

/**
 * One DATA frame (C37.118.2-2011, 6.3) as sent: numbers not yet scaled, one column for each kind,
 * the PMUs one behind the other. Floating-point numbers are Hz, V, A, rad as the format says.
 */
export interface DataFrame {
  idCode: number;
  version: number;
  /** SOC, FRACSEC in 1/TIME_BASE s, and the byte above it (`timeQualityOf`). */
  second: number;
  fraction: number;
  timeQuality: number;
  /** A word for each PMU (`statusOf`). */
  readonly stat: Uint16Array;
  /** Two numbers for each phasor: magnitude and angle, or real and imaginary part. */
  readonly phasors: Float64Array;
  /** Two numbers for each PMU: FREQ and DFREQ. */
  readonly frequency: Float64Array;
  readonly analogs: Float64Array;
  readonly digitals: Uint16Array;
}

/** Where a PMU's values stand in the columns of a `DataFrame`. */
interface PmuColumns {
  readonly format: Format;
  readonly firstPhasor: number;
  readonly phasorCount: number;
  readonly firstAnalog: number;
  readonly analogCount: number;
  readonly firstDigital: number;
  readonly digitalCount: number;
}

/** All that can be worked out from a configuration once, for every DATA frame that follows it. */
export interface DataLayout {
  readonly configuration: Configuration;
  readonly frameBytes: number;
  readonly pmus: readonly PmuColumns[];
}

/** Errors: `too-long` where no frame could hold the values configured. */
export function dataLayoutOf(configuration: Configuration): DataLayout {
  let frameBytes = HEAD_BYTES + CHK_BYTES;
  let [firstPhasor, firstAnalog, firstDigital] = [0, 0, 0];
  const pmus = configuration.pmus.map((pmu): PmuColumns => {
    const columns = {
      format: pmu.format,
      firstPhasor,
      phasorCount: pmu.phasors.length,
      firstAnalog,
      analogCount: pmu.analogs.length,
      firstDigital,
      digitalCount: pmu.digitals.length,
    };
    firstPhasor += columns.phasorCount;
    firstAnalog += columns.analogCount;
    firstDigital += columns.digitalCount;
    frameBytes += pmuBytes(pmu);
    return columns;
  });
  if (frameBytes > FRAME_BYTES_MAX) {
    throw new OperatingError('too-long', `DATA would take ${frameBytes} bytes`, {
      field: 'FRAMESIZE',
    });
  }
  return { configuration, frameBytes, pmus };
}

function pmuBytes({ format, phasors, analogs, digitals }: PmuConfiguration): number {
  return (
    2 +
    phasors.length * (format.floatPhasors ? 8 : 4) +
    (format.floatFrequency ? 8 : 4) +
    analogs.length * (format.floatAnalogs ? 4 : 2) +
    digitals.length * 2
  );
}

/** An empty frame of this layout: `readData` fills it, again and again if its owner likes. */
export function newDataFrame({ pmus, configuration }: DataLayout): DataFrame {
  const last = pmus.at(-1);
  const phasors = last === undefined ? 0 : last.firstPhasor + last.phasorCount;
  const analogs = last === undefined ? 0 : last.firstAnalog + last.analogCount;
  const digitals = last === undefined ? 0 : last.firstDigital + last.digitalCount;
  return {
    idCode: configuration.head.idCode,
    version: configuration.head.version,
    second: 0,
    fraction: 0,
    timeQuality: 0,
    stat: new Uint16Array(pmus.length),
    phasors: new Float64Array(2 * phasors),
    frequency: new Float64Array(2 * pmus.length),
    analogs: new Float64Array(analogs),
    digitals: new Uint16Array(digitals),
  };
}

/**
 * Reads a checked DATA frame. Straight-line for speed; `readDataByTable` says the same as a table.
 * Errors: `data-does-not-fit` where the frame is not one of this layout.
 */
export function readData(
  layout: DataLayout,
  frame: Frame,
  into: DataFrame = newDataFrame(layout),
): DataFrame {
  const { bytes } = frame;
  if (frame.kind !== 'data' || bytes.length !== layout.frameBytes) refuse(layout, frame);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  into.version = view.getUint8(1) & 15;
  into.idCode = frame.idCode;
  into.second = view.getUint32(6);
  const fraction = view.getUint32(10);
  into.timeQuality = fraction >>> 24;
  into.fraction = fraction & 0xff_ffff;
  let at = HEAD_BYTES;
  for (let index = 0; index < layout.pmus.length; index += 1) {
    const pmu = layout.pmus[index];
    if (pmu !== undefined) at = readPmu(view, at, pmu, index, into);
  }
  return into;
}

function refuse(layout: DataLayout, { kind, bytes }: Frame): never {
  throw new OperatingError(
    'data-does-not-fit',
    `${kind} frame of ${bytes.length} bytes, the configuration makes ${layout.frameBytes}`,
    { offset: 2, field: 'FRAMESIZE', hint: 'ask for the configuration again' },
  );
}

function readPmu(
  view: DataView,
  start: number,
  pmu: PmuColumns,
  index: number,
  into: DataFrame,
): number {
  let at = start;
  into.stat[index] = view.getUint16(at);
  at = readPhasors(view, at + 2, pmu, into.phasors);
  if (pmu.format.floatFrequency) {
    into.frequency[2 * index] = view.getFloat32(at);
    into.frequency[2 * index + 1] = view.getFloat32(at + 4);
    at += 8;
  } else {
    into.frequency[2 * index] = view.getInt16(at);
    into.frequency[2 * index + 1] = view.getInt16(at + 2);
    at += 4;
  }
  at = readAnalogs(view, at, pmu, into.analogs);
  const lastDigital = pmu.firstDigital + pmu.digitalCount;
  for (let column = pmu.firstDigital; column < lastDigital; column += 1, at += 2) {
    into.digitals[column] = view.getUint16(at);
  }
  return at;
}

function readPhasors(view: DataView, start: number, pmu: PmuColumns, into: Float64Array): number {
  const { polar, floatPhasors } = pmu.format;
  const end = 2 * (pmu.firstPhasor + pmu.phasorCount);
  let at = start;
  for (let column = 2 * pmu.firstPhasor; column < end; column += 2) {
    if (floatPhasors) {
      into[column] = view.getFloat32(at);
      into[column + 1] = view.getFloat32(at + 4);
      at += 8;
    } else {
      into[column] = polar ? view.getUint16(at) : view.getInt16(at);
      into[column + 1] = view.getInt16(at + 2);
      at += 4;
    }
  }
  return at;
}

function readAnalogs(view: DataView, start: number, pmu: PmuColumns, into: Float64Array): number {
  const end = pmu.firstAnalog + pmu.analogCount;
  let at = start;
  for (let column = pmu.firstAnalog; column < end; column += 1) {
    if (pmu.format.floatAnalogs) {
      into[column] = view.getFloat32(at);
      at += 4;
    } else {
      into[column] = view.getInt16(at);
      at += 2;
    }
  }
  return at;
}

/** Writes a DATA frame of this layout, CHK included; `into` of at least `frameBytes` is reused. */
export function writeData(
  layout: DataLayout,
  data: DataFrame,
  into: Uint8Array = new Uint8Array(layout.frameBytes),
): Uint8Array {
  const length = layout.frameBytes;
  const view = new DataView(into.buffer, into.byteOffset, length);
  view.setUint16(0, (SYNC_LEAD << 8) | (data.version & 15));
  view.setUint16(2, length);
  view.setUint16(4, data.idCode);
  view.setUint32(6, data.second);
  view.setUint32(10, ((data.timeQuality << 24) | (data.fraction & 0xff_ffff)) >>> 0);
  let at = HEAD_BYTES;
  for (let index = 0; index < layout.pmus.length; index += 1) {
    const pmu = layout.pmus[index];
    if (pmu !== undefined) at = writePmu(view, at, pmu, index, data);
  }
  view.setUint16(at, crcCcitt(into, 0, at));
  return into.length === length ? into : into.subarray(0, length);
}

function writePmu(
  view: DataView,
  start: number,
  pmu: PmuColumns,
  index: number,
  data: DataFrame,
): number {
  view.setUint16(start, data.stat[index] ?? 0);
  let at = writePhasors(view, start + 2, pmu, data.phasors);
  for (const value of [data.frequency[2 * index] ?? 0, data.frequency[2 * index + 1] ?? 0]) {
    at = writeNumber(view, at, value, pmu.format.floatFrequency);
  }
  const lastAnalog = pmu.firstAnalog + pmu.analogCount;
  for (let column = pmu.firstAnalog; column < lastAnalog; column += 1) {
    at = writeNumber(view, at, data.analogs[column] ?? 0, pmu.format.floatAnalogs);
  }
  const lastDigital = pmu.firstDigital + pmu.digitalCount;
  for (let column = pmu.firstDigital; column < lastDigital; column += 1, at += 2) {
    view.setUint16(at, data.digitals[column] ?? 0);
  }
  return at;
}

function writePhasors(view: DataView, start: number, pmu: PmuColumns, from: Float64Array): number {
  const end = 2 * (pmu.firstPhasor + pmu.phasorCount);
  let at = start;
  for (let column = 2 * pmu.firstPhasor; column < end; column += 1) {
    at = writeNumber(view, at, from[column] ?? 0, pmu.format.floatPhasors);
  }
  return at;
}

function writeNumber(view: DataView, at: number, value: number, float: boolean): number {
  if (float) view.setFloat32(at, value);
  else view.setInt16(at, value); // modulo 2^16, so that an unsigned magnitude fits too
  return at + (float ? 4 : 2);
}
