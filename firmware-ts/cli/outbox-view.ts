import type {
  BackendOutbox,
  EntryStatus,
  QuarantinedStatus,
  StreamOutbox,
} from '#control/outbox.ts';
import { numbersText } from './outbox-entry.ts';
import { bytesText } from './quantity.ts';
import { troubleOf } from './report.ts';
import { printTable } from './table.ts';
import type { Column } from './table.ts';
import type { Part, Terminal } from './terminal.ts';

/** Gaps shown of one stream, the newest; `--json` has more. */
const GAPS_SHOWN = 4;

/** What waits for one back-end, for people: the verdict first. */
export function printOutbox(terminal: Terminal, outbox: BackendOutbox): void {
  const { name, streams, quarantined, quarantinedOmitted } = outbox;
  terminal.out({ style: 'strong', text: name }, ': ', verdictOf(outbox));
  terminal.out(`  ${waitingText(outbox)}`);
  printTable(terminal, STREAM_COLUMNS, streams.map(streamRow));
  for (const stream of streams) for (const line of gapLines(stream)) terminal.out(`  ${line}`);
  printTable(terminal, QUARANTINE_COLUMNS, quarantined.map(quarantineRow));
  if (quarantinedOmitted > 0) terminal.out(`and ${quarantinedOmitted} more`);
  if (quarantined.length > 0) terminal.out(`  try: normctl outbox show ${name} ID`);
}

function verdictOf({ quarantined, quarantinedOmitted }: BackendOutbox): Part {
  const count = quarantined.length + quarantinedOmitted;
  if (count === 0) return { style: 'good', text: 'nothing is set aside' };
  return { style: 'bad', text: `${count} set aside` };
}

function waitingText({ readings, entries, bytes, oldest }: BackendOutbox): string {
  if (entries === 0) return 'nothing waits';
  const since = oldest === undefined ? '' : `, since ${oldest}`;
  return `${readings} readings in ${entries} entries wait (${bytesText(bytes)})${since}`;
}

const STREAM_COLUMNS: readonly Column[] = [
  { title: 'stream', least: 10 },
  { title: 'class' },
  { title: 'epoch', align: 'right' },
  { title: 'through', align: 'right' },
  { title: 'next', align: 'right' },
  { title: 'gaps', align: 'right' },
];

function streamRow(stream: StreamOutbox): readonly string[] {
  const { epoch, through, next, gaps, gapsOmitted } = stream;
  const numbers = [epoch, through, next, gaps.length + gapsOmitted].map(String);
  return [stream.stream, stream.class, ...numbers];
}

function gapLines({ stream, gaps, gapsOmitted }: StreamOutbox): readonly string[] {
  const shown = gaps.slice(-GAPS_SHOWN);
  const earlier = gapsOmitted + gaps.length - shown.length;
  const lines = shown.map(({ first, last, reason, at }) => {
    const named = at === undefined ? '' : `, named ${at}`;
    return `${stream} gap ${numbersText(first, last)}: ${reason}${named}`;
  });
  return earlier === 0 ? lines : [`${stream}: ${earlier} earlier gaps`, ...lines];
}

const QUARANTINE_COLUMNS: readonly Column[] = [
  { title: 'set aside', align: 'right' },
  { title: 'stream', least: 8 },
  { title: 'epoch', align: 'right' },
  { title: 'numbers', align: 'right' },
  { title: 'readings', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'why', least: 12 },
];

function quarantineRow(entry: QuarantinedStatus): readonly string[] {
  const { id, stream, epoch, readings, bytes, code } = entry;
  const numbers = numbersOf(entry);
  return [`${id}`, stream, `${epoch}`, numbers, `${readings}`, `${bytes}`, code];
}

function numbersOf({ sequence, count }: QuarantinedStatus): string {
  return numbersText(sequence, sequence + count - 1);
}

/** One entry that was set aside, for people: why, then what is in it. */
export function printEntry(terminal: Terminal, seen: EntryStatus): void {
  const { backend, entry, values, valuesOmitted, failure } = seen;
  const { id, stream, epoch, taken, readings, bytes, code, message } = entry;
  terminal.out(
    { style: 'strong', text: `${backend} ${id}` },
    ': ',
    { style: 'bad', text: code },
    `: ${message}`,
  );
  terminal.out(`  stream ${stream}, epoch ${epoch}, numbers ${numbersOf(entry)}`);
  terminal.out(`  taken ${taken}, ${readings} readings, ${bytesText(bytes)}`);
  if (failure !== undefined) {
    const trouble = troubleOf(failure);
    terminal.out(
      { style: 'bad', text: '  it cannot be read' },
      `: ${trouble.code}: ${trouble.message}`,
    );
  }
  printTable(terminal, VALUE_COLUMNS, values.map(valueRow));
  if (valuesOmitted > 0) terminal.out(`and ${valuesOmitted} more`);
}

const VALUE_COLUMNS: readonly Column[] = [
  { title: 'object', least: 18 },
  { title: 'value', align: 'right', least: 10 },
  { title: 'unit' },
  { title: 'time', least: 19 },
  { title: 'quality', least: 7 },
];

function valueRow({ object, value, unit, time, quality }: EntryStatus['values'][number]) {
  const marks = quality.length === 0 ? 'good' : quality.join(',');
  return [object, String(value ?? 'NaN'), unit, time, marks];
}
