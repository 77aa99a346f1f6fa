import { obisWords } from '#protocol/cosem/obis-words.ts';
import { isObis, obisFrom } from '#protocol/cosem/obis.ts';
import { tableLines } from '../table.ts';
import type { Column } from '../table.ts';
import type { Part, Terminal } from '../terminal.ts';
import type { DecodedLine, DecodedReading } from './line.ts';

/** One message for people: what it is, its readings, what is wrong with it. */
export function printDecoded(terminal: Terminal, line: DecodedLine, country?: string): void {
  terminal.out(...headOf(line));
  for (const text of factLines(line)) terminal.out({ style: 'faint', text });
  for (const text of readingLines(line, terminal.columns, country)) terminal.out(text);
  const { error } = line;
  if (error === undefined) return;
  const { code, message, offset, field, hint } = error;
  const within = field === undefined ? '' : `, field ${field}`;
  terminal.out(`  error ${code}: ${message}, byte ${offset}${within}`);
  if (hint !== undefined) terminal.out(`  try: ${hint}`);
}

function headOf({ protocol, frame, offset, length, ok, time, quality }: DecodedLine): Part[] {
  const what = typeof frame === 'string' ? `${protocol} ${frame}` : protocol;
  const marks = quality === undefined ? '' : `  (${quality.join(', ')})`;
  return [
    { style: 'strong', text: what },
    ` at byte ${offset}, ${length} bytes: `,
    ok ? { style: 'good', text: 'good' } : { style: 'bad', text: 'not good' },
    `${time === undefined ? '' : `  ${time}`}${marks}`,
  ];
}

/** Shown elsewhere in the message. */
const SHOWN = new Set(
  'protocol frame offset length ok error time quality readings unread'.split(' '),
);

function factLines(line: DecodedLine): readonly string[] {
  const facts = Object.entries(line).filter(([name]) => !SHOWN.has(name));
  const words = facts.filter(([, value]) => typeof value !== 'object').map(factText);
  const lists = facts.flatMap(([name, value]) =>
    Array.isArray(value) ? value.map((entry) => factText([name, entry])) : [],
  );
  return [...(words.length === 0 ? [] : [words.join(', ')]), ...lists].map((text) => `  ${text}`);
}

function factText([name, value]: readonly [string, unknown]): string {
  return `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`;
}

const READING_COLUMNS: readonly Column[] = [
  { title: '  object', least: 20 },
  { title: 'value', align: 'right', least: 14 },
  { title: 'unit' },
  { title: 'time, quality', least: 8 },
  { title: 'name', least: 8 },
];

function readingLines(
  { readings = [] }: DecodedLine,
  width: number,
  country: string | undefined,
): readonly string[] {
  return readings.length === 0
    ? []
    : tableLines(
        READING_COLUMNS,
        readings.map((reading) => rowOf(reading, country)),
        width,
      );
}

function rowOf(
  { object, value, unit, time, quality = [] }: DecodedReading,
  country: string | undefined,
): readonly string[] {
  const marks = time === undefined ? quality : [time, ...quality];
  return [`  ${object}`, String(value), unit, marks.join(' '), nameOf(object, country)];
}

/** Of an OBIS code, whatever attribute or element is told behind it; other objects have none. */
function nameOf(object: string, country: string | undefined): string {
  const [code = ''] = object.split('/');
  return isObis(code) ? (obisWords(obisFrom(code), country) ?? '') : '';
}
