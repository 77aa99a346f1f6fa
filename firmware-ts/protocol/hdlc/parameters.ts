import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';

/** What SNRM and UA negotiate, as the sender of the frame sees it (IEC 62056-46, 6.4.4.4.3.2). */
export interface HdlcParameters {
  /** Most information octets in one frame, 32 to 2030. */
  readonly informationTransmit: number;
  readonly informationReceive: number;
  /** Most I frames without an acknowledgement, 1 to 7. */
  readonly windowTransmit: number;
  readonly windowReceive: number;
}

/** In force where nothing was negotiated (IEC 62056-46, 6.4.4.4.3.2). */
export const HDLC_DEFAULTS: HdlcParameters = {
  informationTransmit: 128,
  informationReceive: 128,
  windowTransmit: 1,
  windowReceive: 1,
};

export const INFORMATION_MAX = 2030;
/** The standard's least is 32; devices that take less are served all the same. */
const INFORMATION_MIN = 1;
export const WINDOW_MAX = 7;

const FORMAT = 0x81;
const GROUP = 0x80;

/** Identifiers in the standard's order; a value of a window has four octets there. */
const FIELDS = [
  { id: 0x05, name: 'informationTransmit', most: INFORMATION_MAX },
  { id: 0x06, name: 'informationReceive', most: INFORMATION_MAX },
  { id: 0x07, name: 'windowTransmit', most: WINDOW_MAX },
  { id: 0x08, name: 'windowReceive', most: WINDOW_MAX },
] as const;

/** The information field of SNRM or UA. */
export function encodeHdlcParameters(parameters: HdlcParameters): Uint8Array {
  const writer = new Writer().u8(FORMAT).u8(GROUP).u8(0);
  for (const { id, name, most } of FIELDS) {
    const value = parameters[name];
    writer.u8(id);
    if (most === WINDOW_MAX) writer.u8(4).u32(value);
    else if (value <= 0xff) writer.u8(1).u8(value);
    else writer.u8(2).u16(value);
  }
  const bytes = writer.finish().slice();
  bytes[2] = bytes.length - 3;
  return bytes;
}

/**
 * The parameters in SNRM or UA; what is left out is the default. Values of any length are taken,
 * other identifiers (user's own, vendor's) passed over, values beyond the bounds drawn to them.
 * Errors: `bad-parameters` with offset, `truncated`.
 */
export function decodeHdlcParameters(information: Uint8Array): HdlcParameters {
  if (information.length === 0) return HDLC_DEFAULTS;
  const reader = new Reader(information);
  if (reader.u8('format-identifier') !== FORMAT) throw bad(0, 'format-identifier');
  if (reader.u8('group-identifier') !== GROUP) throw bad(1, 'group-identifier');
  const group = new Reader(reader.take(reader.u8('group-length'), 'group-value'));
  const parameters = { ...HDLC_DEFAULTS };
  while (group.remaining > 0) {
    const id = group.u8('parameter-identifier');
    const value = unsigned(group.take(group.u8('parameter-length'), 'parameter-value'));
    const field = FIELDS.find((one) => one.id === id);
    // A zero cannot be meant: nothing could ever be sent.
    if (field === undefined || value === 0) continue;
    const least = field.most === WINDOW_MAX ? 1 : INFORMATION_MIN;
    parameters[field.name] = Math.max(least, Math.min(value, field.most));
  }
  return parameters;
}

function unsigned(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => Math.min(value * 256 + byte, Number.MAX_SAFE_INTEGER), 0);
}

function bad(offset: number, field: string): OperatingError {
  return new OperatingError('bad-parameters', `no such ${field}`, { offset, field });
}

/** `wanted` within the bounds of the standard. */
export function boundedParameters(wanted: Partial<HdlcParameters>): HdlcParameters {
  const bounded = { ...HDLC_DEFAULTS };
  for (const { name, most } of FIELDS) {
    bounded[name] = Math.max(1, Math.min(wanted[name] ?? HDLC_DEFAULTS[name], most));
  }
  return bounded;
}

export function sameParameters(one: HdlcParameters, other: HdlcParameters): boolean {
  return FIELDS.every(({ name }) => one[name] === other[name]);
}

/** What is in force for `own` once the peer has said `theirs`: the smaller of both, each way. */
export function agreed(own: HdlcParameters, theirs: HdlcParameters): HdlcParameters {
  return {
    informationTransmit: Math.min(own.informationTransmit, theirs.informationReceive),
    informationReceive: Math.min(own.informationReceive, theirs.informationTransmit),
    windowTransmit: Math.min(own.windowTransmit, theirs.windowReceive),
    windowReceive: Math.min(own.windowReceive, theirs.windowTransmit),
  };
}
