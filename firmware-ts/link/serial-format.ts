import { OperatingError } from '#bytes/failure.ts';

/** Data bits, parity (none, even, odd), stop bits: `8N1`; optical heads speak `7E1`. */
export type SerialFormat = `${7 | 8}${'N' | 'E' | 'O'}${1 | 2}`;

/** The parts of `8N1`. Errors: `bad-format`. */
export function parseSerialFormat(format: string): {
  readonly dataBits: 7 | 8;
  readonly parity: 'N' | 'E' | 'O';
  readonly stopBits: 1 | 2;
} {
  const match = /^([78])([NEO])([12])$/.exec(format);
  if (match === null) {
    throw new OperatingError('bad-format', `no serial format: ${JSON.stringify(format)}`, {
      hint: 'data bits, parity, stop bits, e.g. 8N1 or 7E1',
    });
  }
  return {
    dataBits: match[1] === '7' ? 7 : 8,
    parity: match[2] === 'N' ? 'N' : match[2] === 'E' ? 'E' : 'O',
    stopBits: match[3] === '2' ? 2 : 1,
  };
}
