import type { Failure } from '#bytes/failure.ts';
import { decodeReadout } from '#protocol/iec62056-21/readout.ts';
import { observationFromReadout } from '#reading/from-p1.ts';
import type { Adapter } from './adapter.ts';
import { beginsFramedReadout, beginsIdentification } from './identification.ts';
import { NO_ARRIVAL, guarded, observed } from './line.ts';
import type { DecodedLine, Facts } from './line.ts';

const PROTOCOL = 'iec62056-21';
const SLASH = 0x2f;

/** Read-outs over an optical port or a D0 interface, each from its identification to the next. */
export const READOUT_ADAPTER: Adapter = {
  name: PROTOCOL,
  protocol: PROTOCOL,
  looksLike(bytes) {
    if (beginsFramedReadout(bytes)) return 'begins';
    return bytes.includes(SLASH) && !hasCompleteCodes(bytes) ? 'perhaps' : 'no';
  },
  *decode(chunks) {
    const bytes = Buffer.concat(chunks);
    for (let start = 0; start < bytes.length;) {
      const end = nextIdentification(bytes, start + 1);
      yield* readoutLines(bytes.subarray(start, end), start);
      start = end;
    }
  },
};

/** Codes with medium and channel are those of P1, whose own decoder reads more of them. */
function hasCompleteCodes(bytes: Uint8Array): boolean {
  return /^\d+-\d+:\d/m.test(Buffer.from(bytes).toString('latin1'));
}

function nextIdentification(bytes: Buffer, from: number): number {
  let index = bytes.indexOf(SLASH, from);
  while (index >= 0 && !beginsIdentification(bytes.subarray(index))) {
    index = bytes.indexOf(SLASH, index + 1);
  }
  return index < 0 ? bytes.length : index;
}

/** Nothing for the line breaks and NULs between read-outs. */
function* readoutLines(piece: Uint8Array, offset: number): Generator<DecodedLine> {
  if (piece.every((byte) => byte === 0 || byte === 0x0a || byte === 0x0d)) return;
  const place = { protocol: PROTOCOL, offset, length: piece.length };
  yield { ...place, ...guarded(offset, () => describedReadout(piece)) };
}

const BAD_BCC: Failure = {
  code: 'bad-bcc',
  message: 'the read-out is not as the meter sent it',
  field: 'block-check-character',
};

function describedReadout(piece: Uint8Array): Facts {
  const readout = decodeReadout(piece);
  const { manufacturer, baudCharacter, identification, check } = readout;
  return {
    frame: 'readout',
    manufacturer,
    baudCharacter,
    identification,
    check,
    ...observed([observationFromReadout('', readout, NO_ARRIVAL)]),
    ...(check === 'bad' ? { error: BAD_BCC } : {}),
  };
}
