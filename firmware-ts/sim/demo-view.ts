import type { BackendStatus, GatewayStatus, ReadingStatus, SourceStatus } from '#control/status.ts';

/** Rows of each source: three sources and their totals fit a terminal of 24 lines. */
const ROWS_PER_SOURCE = 4;

interface Column {
  readonly title: string;
  readonly width: number;
  readonly right?: true;
}

const READINGS: readonly Column[] = [
  { title: 'source', width: 6 },
  { title: 'object', width: 22 },
  { title: 'value', width: 14, right: true },
  { title: 'unit', width: 6 },
  { title: 'time (UTC)', width: 12 },
  { title: 'quality', width: 13 },
];

const TOTALS: readonly Column[] = [
  { title: 'source', width: 6 },
  { title: 'link', width: 22 },
  { title: 'taken', width: 9, right: true },
  { title: 'stored', width: 9, right: true },
  { title: 'sent', width: 9, right: true },
  { title: 'acknowledged', width: 13, right: true },
];

/** The screen for people: ASCII, at most 80 columns, no escape sequences. */
export function screenOf(status: GatewayStatus): readonly string[] {
  return [
    ...tableOf(READINGS, status.sources.flatMap(readingRows)),
    '',
    ...tableOf(TOTALS, sourceRows(status)),
    '',
    ...status.backends.map(backendLine),
  ];
}

function readingRows({ name, lastReadings }: SourceStatus): readonly (readonly string[])[] {
  return lastReadings
    .filter(({ value }) => typeof value === 'number')
    .slice(0, ROWS_PER_SOURCE)
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
      : `, reading to acknowledgement p50 ${latencyMs.p50.toFixed(0)} ms` +
        ` p99 ${latencyMs.p99.toFixed(0)} ms`;
  const reason = failure === undefined ? '' : ` (${failure.code})`;
  return `${name}: ${state}${reason}, ${queued} queued${latency}`;
}

function tableOf(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ width, right }, index) => {
        const cell = (cells[index] ?? '').slice(0, width);
        return right === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(' ')
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}
