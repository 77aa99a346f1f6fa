import { once } from 'node:events';
import { styleText } from 'node:util';

/** A piece of a line; a style shows only on a terminal that is clearly a rich one. */
export type Part = string | { readonly text: string; readonly style: Style };
export type Style = keyof typeof COLOURS;

/** Where a verb writes, a line a call. Results go to `out`, all else to `err`. */
export interface Terminal {
  /** Columns of a line. */
  readonly columns: number;
  out(...parts: readonly Part[]): void;
  err(...parts: readonly Part[]): void;
  /** Asks whoever sits there, and waits for a line; `undefined` where nobody does. */
  ask(question: string): Promise<string | undefined>;
  /** Settles when the reader of `out` keeps up: long output waits for it, not in memory. */
  drained(): Promise<unknown>;
}

const COLOURS = { good: 'green', bad: 'red', faint: 'dim', strong: 'bold' } as const;
const COLUMNS_DEFAULT = 80;
const COLUMNS_MIN = 40;

/** The terminal of this process. */
export function processTerminal(environment: NodeJS.ProcessEnv = process.env): Terminal {
  const rich = isRich(process.stdout.isTTY, environment);
  // A serial line without a window size has 0 columns.
  const columns = process.stdout.isTTY ? process.stdout.columns : 0;
  return {
    columns: columns > 0 ? Math.max(columns, COLUMNS_MIN) : COLUMNS_DEFAULT,
    out: (...parts) => void process.stdout.write(`${lineOf(parts, rich)}\n`),
    err: (...parts) => void process.stderr.write(`${lineOf(parts, false)}\n`),
    ask: async (question) => (process.stdin.isTTY ? askLine(question) : undefined),
    drained: async () => process.stdout.writableNeedDrain && once(process.stdout, 'drain'),
  };
}

/** The end of input is no answer. */
async function askLine(question: string): Promise<string> {
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  lines.setPrompt(`${lineOf([question], false)} `);
  lines.prompt();
  for await (const line of lines) return line;
  return '';
}

/** Rich only if everything says so: gateways are reached over vt100s and serial lines. */
function isRich(isTerminal: boolean, environment: NodeJS.ProcessEnv): boolean {
  const { TERM = '', NO_COLOR = '', LC_ALL = '', LC_CTYPE = '', LANG = '' } = environment;
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== '') ?? '';
  const known = /^(xterm|screen|tmux|rxvt|alacritty|foot|kitty|konsole)/.test(TERM);
  return isTerminal && known && NO_COLOR === '' && /utf-?8/i.test(locale);
}

function lineOf(parts: readonly Part[], rich: boolean): string {
  return parts.map((part) => written(part, rich)).join('');
}

function written(part: Part, rich: boolean): string {
  const text = typeof part === 'string' ? part : part.text;
  if (!rich) return text.replace(NOT_ASCII, escaped);
  const visible = text.replace(INVISIBLE, escaped);
  if (typeof part === 'string') return visible;
  return styleText(COLOURS[part.style], visible, { validateStream: false });
}

/** Names and texts come from devices: none of their control characters reaches a terminal. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const NOT_ASCII = /[^ -~]/gu;

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
