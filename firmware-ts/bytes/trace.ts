import { OperatingError } from './failure.ts';
import { fromHex, toHex } from './hex.ts';

/** What the first line of a trace says, and every reader checks. */
const TRACE_VERSION = 1;

/** One line of a trace, behind its first. */
export type TraceLine =
  | {
      /** Milliseconds since the trace began. */
      readonly t: number;
      /** `tx` is what normd sent, `rx` what the device sent; as in JSON vectors. */
      readonly dir: 'tx' | 'rx';
      readonly bytes: Uint8Array;
      /** Octets of a secret were made zero; a check sequence around them fits no longer. */
      readonly masked: boolean;
    }
  | { readonly t: number; readonly event: 'up' | 'down'; readonly text: string };

/** What one side said at one moment, `atMs` milliseconds after the trace began. */
export interface TracedOctets {
  readonly atMs: number;
  readonly dir: 'tx' | 'rx';
  readonly bytes: Uint8Array;
  /** Octets of a secret were made zero. */
  readonly masked: boolean;
}

/** The first line; `startedAt` is wall time (ISO 8601). */
export function traceHead(startedAt: string): string {
  return JSON.stringify({ trace: TRACE_VERSION, startedAt });
}

export function traceLine(line: TraceLine): string {
  if ('event' in line) return JSON.stringify(line);
  const { t, dir, bytes, masked } = line;
  return JSON.stringify({ t, dir, hex: toHex(bytes), ...(masked ? { masked } : {}) });
}

/**
 * What both sides said in a trace; `undefined` for text that is none. A last line that a cut left
 * half is passed over. Errors: `bad-vector`, `bad-hex`.
 */
export function octetsOfTrace(text: string): readonly TracedOctets[] | undefined {
  const [head = '', ...lines] = text.split('\n');
  const version = objectIn(head)?.['trace'];
  if (version === undefined) return undefined;
  if (version !== TRACE_VERSION) throw badTrace(`version ${JSON.stringify(version)}`, 1);
  return lines.flatMap((line, index) => pieceIn(line, index + 2, index === lines.length - 1));
}

function pieceIn(line: string, number: number, last: boolean): readonly TracedOctets[] {
  if (line === '') return [];
  const said = objectIn(line);
  if (said === undefined && last) return [];
  if (said === undefined) throw badTrace('no JSON', number);
  const { t, dir, hex, masked } = said;
  if (hex === undefined) return [];
  if (typeof t !== 'number' || (dir !== 'tx' && dir !== 'rx') || typeof hex !== 'string') {
    throw badTrace('octets without t, dir or hex', number);
  }
  return [{ atMs: t, dir, bytes: fromHex(hex), masked: masked === true }];
}

function objectIn(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function badTrace(what: string, line: number): OperatingError {
  return new OperatingError('bad-vector', `a trace with ${what} in line ${line}`, {
    hint: `this program reads version ${TRACE_VERSION}; record it anew`,
  });
}
