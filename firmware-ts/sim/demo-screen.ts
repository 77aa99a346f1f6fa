/** What a screen is written to: `process.stdout`, as far as a screen needs it. */
export interface ScreenOutput {
  readonly isTTY?: boolean;
  /** 0 or absent on a serial line, which has no window size, and where nobody looks. */
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** Room for a screen; without `rows` lines may scroll away. */
export interface Extent {
  readonly columns: number;
  readonly rows?: number;
}

/** Lines of at most `columns`, as many as `rows` has if the content can be made to fit. */
export type Layout = (extent: Extent) => readonly string[];

const CAPABLE = /^(xterm|screen|tmux|rxvt|alacritty|foot|kitty|konsole)/;
const COLUMNS_DEFAULT = 80;
/** Where each screen is printed below the last one: less often. */
const PLAIN_REFRESHES = 5;
const ERASE_SCREEN = '\x1b[2J';
const HOME = '\x1b[H';
/** Before the line: after a full one, some terminals erase its last character. */
const ERASE_LINE = '\x1b[2K';
const ERASE_BELOW = '\x1b[0J';

/**
 * Draws in place where the terminal surely can, as large as it is at that moment; else prints
 * below, without any escape sequence.
 */
export function screenPrinter(output: ScreenOutput, term: string): (layout: Layout) => void {
  const capable = output.isTTY === true && CAPABLE.test(term);
  let refreshes = 0;
  return (layout) => {
    refreshes += 1;
    const { columns = 0, rows = 0 } = output;
    const width = columns > 0 ? columns : COLUMNS_DEFAULT;
    const lines = capable && rows > 1 ? layout({ columns: width, rows: rows - 1 }) : [];
    if (lines.length > 0 && lines.length < rows) {
      const drawn = lines.map((line) => `${ERASE_LINE}${line}\n`).join('');
      output.write(`${refreshes === 1 ? ERASE_SCREEN : ''}${HOME}${drawn}${ERASE_BELOW}`);
    } else if (refreshes % PLAIN_REFRESHES === 1) {
      output.write(`${layout({ columns: width }).join('\n')}\n\n`);
    }
  };
}
