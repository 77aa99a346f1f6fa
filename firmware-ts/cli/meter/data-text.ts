import { toHex } from '#bytes/hex.ts';
import { obisText } from '#protocol/cosem/obis.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { DATE_TIME_BYTES, dateTimeFrom, dateTimeText } from '#protocol/dlms/date-time.ts';

/** A value in one line for people. */
export function dataText(data: Data): string {
  switch (data.type) {
    case 'array':
      return `[${data.value.map(dataText).join(', ')}]`;
    case 'structure':
      return `{${data.value.map(dataText).join(', ')}}`;
    case 'compact-array':
      return `[${data.value.elements.map(dataText).join(', ')}]`;
    case 'octet-string':
      return octetsText(data.value);
    case 'date-time':
      return dateTimeText(dateTimeFrom(data.value));
    case 'visible-string':
    case 'utf8-string':
      return JSON.stringify(data.value);
    case 'bit-string':
      return bitsText(data.value.bytes, data.value.bitLength);
    case 'date':
    case 'time':
      return toHex(data.value);
    case 'null-data':
    case 'dont-care':
      return '-';
    case 'cosem-attribute-descriptor': {
      const { classId, instanceId, attributeId } = data.value;
      return `${classId}/${obisText(instanceId)}/${attributeId}`;
    }
    default:
      return String(data.value);
  }
}

/** A time, a text or a logical name where it can be none else; hexadecimal otherwise. */
function octetsText(bytes: Uint8Array): string {
  if (bytes.length === DATE_TIME_BYTES && isDateTime(bytes)) {
    return dateTimeText(dateTimeFrom(bytes));
  }
  const printable = bytes.length > 1 && bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  if (printable) return JSON.stringify(String.fromCharCode(...bytes.subarray(0, 4096)));
  if (bytes.length === 6 && bytes[5] === 0xff) return obisText(bytes);
  return bytes.length === 0 ? '""' : toHex(bytes);
}

/** A year of this and the next centuries, or an open one; a month and a day that exist. */
function isDateTime(bytes: Uint8Array): boolean {
  const { year, month, day } = dateTimeFrom(bytes);
  const open = bytes[0] === 0xff && bytes[1] === 0xff;
  const known = year !== undefined && year >= 1970 && year < 2200;
  return (known || open) && (month ?? 1) >= 1 && (day ?? 1) >= 1;
}

function bitsText(bytes: Uint8Array, bitLength: number): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return `0b${bits.slice(0, bitLength)}`;
}

/** A value for programs: the standard's type, and numbers beyond 2^53 as text. */
export function dataJson(data: Data): unknown {
  const { type } = data;
  switch (data.type) {
    case 'array':
    case 'structure':
      return { type, value: data.value.map(dataJson) };
    case 'compact-array':
      return { type, value: data.value.elements.map(dataJson) };
    case 'bit-string':
      return { type, value: bitsText(data.value.bytes, data.value.bitLength) };
    case 'cosem-attribute-descriptor':
      return { type, value: dataText(data) };
    default:
      return { type, value: plain(data.value) };
  }
}

function plain(value: Uint8Array | string | number | bigint | boolean | null): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}
