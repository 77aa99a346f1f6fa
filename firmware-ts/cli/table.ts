import type { Terminal } from './terminal.ts';

/** How a column is set: numbers to the right, and which may be cut when the line is too long. */
export interface Column {
  readonly title: string;
  readonly align?: 'right';
  /** Cut first, down to this width; without it the column is never cut. */
  readonly least?: number;
}

const GAP = '  ';
const CUT = '..';

/** A table with its titles after an empty line; nothing where there are no rows. */
export function printTable(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): void {
  if (rows.length === 0) return;
  const [head = '', ...lines] = tableLines(columns, rows, terminal.columns);
  terminal.out();
  terminal.out({ style: 'faint', text: head });
  for (const line of lines) terminal.out(line);
}

/** Lines of a table, its title line first, none longer than `width` if its columns allow. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): readonly string[] {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = widthsWithin(columns, lines, width);
  return lines.map((cells) =>
    columns
      .map((column, index) => set(cells[index] ?? '', widths[index] ?? 0, column.align))
      .join(GAP)
      .trimEnd(),
  );
}

function widthsWithin(
  columns: readonly Column[],
  lines: readonly (readonly string[])[],
  width: number,
): readonly number[] {
  const widths = columns.map((_, index) =>
    lines.reduce((widest, cells) => Math.max(widest, cells[index]?.length ?? 0), 0),
  );
  let excess =
    widths.reduce((sum, each) => sum + each, 0) + GAP.length * (columns.length - 1) - width;
  for (const [index, { least }] of columns.entries()) {
    if (excess <= 0 || least === undefined) continue;
    const wide = widths[index] ?? 0;
    const cut = Math.min(excess, Math.max(0, wide - least));
    widths[index] = wide - cut;
    excess -= cut;
  }
  return widths;
}

function set(text: string, width: number, align: Column['align']): string {
  const fitted = text.length <= width ? text : text.slice(0, width - CUT.length) + CUT;
  return align === 'right' ? fitted.padStart(width) : fitted.padEnd(width);
}
