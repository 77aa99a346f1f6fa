import { OperatingError } from '#bytes/failure.ts';
import { latin1FromBytes } from '#bytes/text.ts';
import type { DataSet } from './data-set.ts';
import { dataSetsOf } from './data-set.ts';

/** Read-out of a meter in modes A to D (IEC 62056-21, 6.3.2 and 6.3.3, with 6.4.1 to 6.4.4). */
export interface Readout {
  /** Three letters of the manufacturer (FLAG). */
  readonly manufacturer: string;
  /** Z: which baud rates the meter offers; a digit is mode C, a letter mode B. */
  readonly baudCharacter: string;
  readonly identification: string;
  readonly dataSets: readonly DataSet[];
  /** Whether the block check character fits; mode D has none. */
  readonly check: 'good' | 'bad' | 'absent';
}

const STX = 0x02;
const ETX = 0x03;
const END_OF_DATA = 0x21; // !
const LINE_FEED = 0x0a;

/** So much a read-out may be; profiles of a quarter-year lie below. */
export const READOUT_BYTES_MAX = 256 << 10;

/**
 * One read-out from its identification on: `/XXXZ… CR LF STX data ! CR LF ETX BCC`; without STX
 * (mode D) the data end with `!`. Bytes behind it are left alone.
 * Errors: `bad-identification`, `truncated`, `too-long`, `bad-data-set`.
 */
export function decodeReadout(bytes: Uint8Array): Readout {
  if (bytes.length > READOUT_BYTES_MAX) {
    throw new OperatingError('too-long', `a read-out of ${bytes.length} bytes`, { offset: 0 });
  }
  const headEnd = place(bytes, LINE_FEED, 0, 'identification');
  const head = identificationOf(latin1FromBytes(bytes, 0, headEnd).trimEnd());
  const framed = bytes[headEnd + 1] === STX;
  const start = headEnd + (framed ? 2 : 1);
  const end = place(bytes, END_OF_DATA, start, 'data-block');
  const dataSets = dataSetsOf(latin1FromBytes(bytes, start, end), start);
  return { ...head, dataSets, check: framed ? checkOf(bytes, start) : 'absent' };
}

function place(bytes: Uint8Array, byte: number, from: number, field: string): number {
  const index = bytes.indexOf(byte, from);
  if (index >= 0) return index;
  throw new OperatingError('truncated', `the ${field} has no end`, {
    offset: bytes.length,
    field,
  });
}

/** `/XXXZ` and the meter's own identification; the FLAG manufacturer and Z are kept apart. */
export function identificationOf(
  line: string,
): Pick<Readout, 'manufacturer' | 'baudCharacter' | 'identification'> {
  const match = /^\/([A-Za-z]{3})([!-~])([^\r\n]*)$/.exec(line);
  if (match === null) {
    throw new OperatingError('bad-identification', 'a read-out begins /XXXZ and a name', {
      offset: 0,
      field: 'identification',
    });
  }
  const [, manufacturer = '', baudCharacter = '', identification = ''] = match;
  return { manufacturer, baudCharacter, identification };
}

/** BCC: the exclusive-or of what follows STX up to and with ETX (ISO/IEC 1155). */
function checkOf(bytes: Uint8Array, start: number): Readout['check'] {
  const end = place(bytes, ETX, start, 'end-of-text');
  const claimed = bytes[end + 1];
  if (claimed === undefined) {
    throw new OperatingError('truncated', 'the block check character is missing', {
      offset: end + 1,
      field: 'block-check-character',
    });
  }
  let check = 0;
  for (let index = start; index <= end; index += 1) check ^= bytes[index] ?? 0;
  return check === claimed ? 'good' : 'bad';
}
