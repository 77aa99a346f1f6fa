import type { BackendStatus, GatewayStatus, ReadingStatus, SourceStatus } from '#control/status.ts';
import type { Extent } from './demo-screen.ts';

/** Readings shown of each source, where there is room. */
const READINGS_MAX = 4;

interface Column {
  readonly title: string;
  readonly width: number;
  readonly right?: true;
  /** Left out, the last one first, where the terminal is too narrow. */
  readonly optional?: true;
}

const READINGS: readonly Column[] = [
  { title: 'source', width: 6 },
  { title: 'object', width: 22 },
  { title: 'value', width: 14, right: true },
  { title: 'unit', width: 6 },
  { title: 'time (UTC)', width: 12, optional: true },
  { title: 'quality', width: 13, optional: true },
];

const TOTALS: readonly Column[] = [
  { title: 'source', width: 6 },
  { title: 'link', width: 22, optional: true },
  { title: 'taken', width: 9, right: true },
  { title: 'stored', width: 9, right: true },
  { title: 'sent', width: 9, right: true },
  { title: 'acknowledged', width: 13, right: true },
];

/** The screen for people, and what they can do next. ASCII, no escape sequences. */
export function screenOf(
  status: GatewayStatus,
  next: readonly string[],
  extent: Extent,
): readonly string[] {
  for (let readings = READINGS_MAX; ; readings -= 1) {
    const lines = screenWith(readings, status, next, extent.columns);
    if (readings === 1 || extent.rows === undefined || lines.length <= extent.rows) return lines;
  }
}

function screenWith(
  readings: number,
  status: GatewayStatus,
  next: readonly string[],
  columns: number,
): readonly string[] {
  const rows = status.sources.flatMap((source) => readingRows(source, readings));
  return [
    ...tableOf(READINGS, rows, columns),
    '',
    ...tableOf(TOTALS, sourceRows(status), columns),
    '',
    ...status.backends.flatMap((backend) => wrapped(backendLine(backend), columns)),
    '',
    ...next.flatMap((paragraph) => wrapped(paragraph, columns)),
  ];
}

function readingRows(
  { name, lastReadings }: SourceStatus,
  readings: number,
): readonly (readonly string[])[] {
  return lastReadings
    .filter(({ value }) => typeof value === 'number')
    .slice(0, readings)
    .map((reading) => [name, reading.object, figure(reading), reading.unit, ...when(reading)]);
}

function when({ time, quality }: ReadingStatus): readonly string[] {
  return [time.slice(11, 23).replace('Z', ''), quality.length === 0 ? 'good' : quality.join(' ')];
}

function figure({ value }: ReadingStatus): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(10))) : String(value);
}

function sourceRows({ sources, backends }: GatewayStatus): readonly (readonly string[])[] {
  return sources.map(({ name, link, taken, stored }) => {
    const streams = backends.flatMap((backend) => backend.streams);
    const own = streams.filter(({ stream }) => stream === name);
    const sum = (key: 'sent' | 'acknowledged'): string =>
      String(own.reduce((total, stream) => total + stream[key], 0));
    const state = link.failure?.code ?? `${link.state} ${link.peer?.split('/').at(-1) ?? ''}`;
    return [name, state, String(taken), String(stored), sum('sent'), sum('acknowledged')];
  });
}

function backendLine({ name, state, queued, latencyMs, failure }: BackendStatus): string {
  const latency =
    latencyMs === null
      ? ''
      : `, commit to acknowledgement p50 ${latencyMs.p50.toFixed(0)} ms` +
        ` p99 ${latencyMs.p99.toFixed(0)} ms`;
  const reason = failure === undefined ? '' : ` (${failure.code})`;
  return `${name}: ${state}${reason}, ${queued} queued${latency}`;
}

function tableOf(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): readonly string[] {
  const shown = shownWithin(columns, width);
  const line = (cells: readonly string[]): string =>
    columns
      .flatMap((column, index) => (shown.has(column) ? [set(cells[index] ?? '', column)] : []))
      .join(' ')
      .trimEnd()
      .slice(0, width);
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

function shownWithin(columns: readonly Column[], width: number): ReadonlySet<Column> {
  const shown = new Set(columns);
  const taken = (): number => [...shown].reduce((sum, column) => sum + column.width + 1, -1);
  for (const column of columns.toReversed()) {
    if (column.optional === true && taken() > width) shown.delete(column);
  }
  return shown;
}

function set(text: string, { width, right }: Column): string {
  const cut = text.slice(0, width);
  return right === true ? cut.padStart(width) : cut.padEnd(width);
}

/** Breaks between words; a word that is longer than a line is cut. */
function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length > width && line !== '') lines.push(line);
    line = longer.length > width ? word.slice(0, width) : longer;
  }
  return [...lines, line];
}
