import type { BackendStatus, GatewayStatus, SourceStatus } from '#control/status.ts';
import { ageText, bytesText } from './quantity.ts';
import type { StatusProblem } from './status-problems.ts';
import { printTable } from './table.ts';
import type { Column } from './table.ts';
import type { Part, Terminal } from './terminal.ts';

/** Readings shown of one source; `--json` has them all. */
const READINGS_SHOWN = 6;

/** A status for people, within the terminal's columns. */
export function printStatus(
  terminal: Terminal,
  status: GatewayStatus,
  problems: readonly StatusProblem[],
): void {
  const { gateway, version, startedAt, clock, sources, backends } = status;
  terminal.out({ style: 'strong', text: gateway }, `  normd ${version}, since ${startedAt}`);
  terminal.out(`clock ${clock.time}, `, trustPart(clock.trust));
  printVerdict(terminal, problems);
  printTable(terminal, SOURCE_COLUMNS, sources.map(sourceRow));
  printTable(terminal, READING_COLUMNS, sources.flatMap(readingRows));
  printTable(terminal, BACKEND_COLUMNS, backends.map(backendRow));
  printTable(
    terminal,
    OUTBOX_COLUMNS,
    backends.map((backend) => outboxRow(backend)),
  );
  printTable(terminal, TRAFFIC_COLUMNS, backends.map(trafficRow));
  printTable(terminal, LANE_COLUMNS, backends.flatMap(laneRows));
}

/** First what somebody has to look at, then all the rest. */
function printVerdict(terminal: Terminal, problems: readonly StatusProblem[]): void {
  if (problems.length === 0) terminal.out({ style: 'good', text: 'all is good' });
  for (const { code, where, message, hint } of problems) {
    terminal.out({ style: 'bad', text: 'not good' }, ` ${where}: ${code}: ${message}`);
    if (hint !== undefined) terminal.out(`  try: ${hint}`);
  }
}

function trustPart(trust: GatewayStatus['clock']['trust']): Part {
  if (trust === 'trusted') return { style: 'good', text: 'trusted' };
  return { style: 'bad', text: trust === 'untrusted' ? 'not trusted' : 'trust not known' };
}

const SOURCE_COLUMNS: readonly Column[] = [
  { title: 'source', least: 10 },
  { title: 'protocol' },
  { title: 'link' },
  { title: 'peer', least: 8 },
  { title: 'taken', align: 'right' },
  { title: 'stored', align: 'right' },
  { title: 'bad', align: 'right' },
];

function sourceRow(source: SourceStatus): readonly string[] {
  const { name, protocol, link, taken, stored, discarded } = source;
  const counts = [taken, stored, discarded].map(String);
  return [name, protocol, link.state, link.peer ?? '-', ...counts];
}

const READING_COLUMNS: readonly Column[] = [
  { title: 'source', least: 8 },
  { title: 'object', least: 18 },
  { title: 'value', align: 'right', least: 10 },
  { title: 'unit' },
  { title: 'time', least: 19 },
  { title: 'quality', least: 7 },
];

function readingRows({ name, lastReadings }: SourceStatus): readonly (readonly string[])[] {
  const shown = lastReadings.slice(0, READINGS_SHOWN).map((reading) => {
    const { object, value, unit, time, quality } = reading;
    const marks = quality.length === 0 ? 'good' : quality.join(',');
    return [name, object, String(value ?? 'NaN'), unit, toMillisecond(time), marks];
  });
  const rest = lastReadings.length - shown.length;
  return rest > 0 ? [...shown, [name, `and ${rest} more`, '', '', '', '']] : shown;
}

/** A PMU's time has nine decimals; a person reads three. */
function toMillisecond(time: string): string {
  return time.replace(/(\.\d{3})\d+Z$/, '$1Z');
}

const BACKEND_COLUMNS: readonly Column[] = [
  { title: 'back-end', least: 10 },
  { title: 'state' },
  { title: 'queued', align: 'right' },
  { title: 'sent', align: 'right' },
  { title: 'acknowledged', align: 'right' },
  { title: 'p50 ms', align: 'right' },
  { title: 'p99 ms', align: 'right' },
];

function backendRow(backend: BackendStatus): readonly string[] {
  const { name, state, queued, sent, acknowledged, latencyMs } = backend;
  const latency = [latencyMs?.p50, latencyMs?.p99].map((ms) => ms?.toFixed(1) ?? '-');
  return [name, state, ...[queued, sent, acknowledged].map(String), ...latency];
}

const OUTBOX_COLUMNS: readonly Column[] = [
  { title: 'outbox', least: 10 },
  { title: 'readings', align: 'right' },
  { title: 'entries', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'oldest', align: 'right' },
  { title: 'gaps', align: 'right' },
  { title: 'set aside', align: 'right' },
];

function outboxRow({ name, queued, lanes, outbox }: BackendStatus): readonly string[] {
  const { entries, bytes, gaps, quarantined } = outbox;
  const missing = Object.values(gaps).reduce((sum, count) => sum + count, 0);
  const ages = lanes.flatMap(({ oldestAgeMs }) => oldestAgeMs ?? []);
  return [
    name,
    ...[queued, entries].map(String),
    bytesText(bytes),
    ages.length === 0 ? '-' : ageText(Math.max(...ages)),
    `${missing}`,
    `${quarantined}`,
  ];
}

const TRAFFIC_COLUMNS: readonly Column[] = [
  { title: 'traffic of', least: 10 },
  { title: 'received', align: 'right' },
  { title: 'sent', align: 'right' },
  { title: 'today', align: 'right' },
  { title: 'a reading', align: 'right' },
  { title: 'held back', align: 'right' },
];

/** Since the start; of the day since midnight UTC. */
function trafficRow({ name, traffic, heldBack }: BackendStatus): readonly string[] {
  const { bytesRead, bytesWritten, bytesToday, bytesPerReading } = traffic;
  const perReading = bytesPerReading === null ? '-' : bytesText(Math.round(bytesPerReading));
  const bytes = [bytesRead, bytesWritten, bytesToday].map(bytesText);
  return [name, ...bytes, perReading, String(heldBack)];
}

const LANE_COLUMNS: readonly Column[] = [
  { title: 'waiting for', least: 10 },
  { title: 'class' },
  { title: 'deadline', align: 'right' },
  { title: 'entries', align: 'right' },
  { title: 'oldest', align: 'right' },
  { title: 'late', align: 'right' },
];

/** Only classes of which something waits or was late: mostly there is nothing to see. */
function laneRows({ name, lanes }: BackendStatus): readonly (readonly string[])[] {
  const shown = lanes.filter((lane) => lane.queued > 0 || lane.missedDeadlines > 0);
  return shown.map(({ class: of, deadlineMs, queued, oldestAgeMs, missedDeadlines }) => [
    name,
    of,
    deadlineMs === null ? '-' : ageText(deadlineMs),
    String(queued),
    oldestAgeMs === undefined ? '-' : ageText(oldestAgeMs),
    String(missedDeadlines),
  ]);
}
