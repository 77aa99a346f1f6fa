import { OperatingError, errorOf, failureOf } from '#bytes/failure.ts';
import { shownAt } from '#protocol/cosem/local-time.ts';
import { obisFrom, obisText } from '#protocol/cosem/obis.ts';
import { obisWords } from '#protocol/cosem/obis-words.ts';
import type { ProfileRow } from '#protocol/cosem/profile-rows.ts';
import type { ProfileLayout, ProfilePart } from '#protocol/cosem/read-profile.ts';
import { readProfile, readProfileLayout } from '#protocol/cosem/read-profile.ts';
import { readScalers } from '#protocol/cosem/read-scalers.ts';
import type { ScalerUnit } from '#protocol/cosem/register.ts';
import { scaledBy } from '#protocol/cosem/register.ts';
import { dateTimeFrom, dateTimeText } from '#protocol/dlms/date-time.ts';
import { machineClock } from '#system/clock.ts';
import type { Invocation } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonLine } from '../report.ts';
import type { Terminal } from '../terminal.ts';
import { dataJson, dataText } from './data-text.ts';
import { numberIn, usage } from './usage.ts';
import { meterVerb, withMeter } from './session.ts';

/** `normctl meter profile OBIS`: each row is printed when it comes. */
export const meterProfile = meterVerb(async (invocation, terminal) => {
  const logicalName = obisFrom(invocation.arguments[0] ?? '');
  const part = partOf(invocation.options);
  const print = invocation.json ? JSON_LINES : TEXT;
  const come: Come = { rows: 0, last: undefined };
  const reading = withMeter(invocation, terminal, async (meter) => {
    const layout = await meter.run(readProfileLayout(logicalName));
    const scalers = await meter.run(readScalers(layout.columns));
    print.layout(terminal, layout, scalers);
    await meter.run(readProfile({ logicalName, part, ...layout }), async (told) => {
      if (told.kind !== 'rows') return;
      for (let index = 0; index < told.rows.count; index += 1) {
        come.last = told.rows.row(index);
        print.row(terminal, come.last, scalers);
        come.rows += 1;
        await terminal.drained();
      }
    });
  });
  await reading.catch((error: unknown) => {
    throw cutAfter(error, come, part);
  });
  if (!invocation.json) terminal.err(`${come.rows} rows`);
  return EXIT.ok;
});

/** What has been printed. */
interface Come {
  rows: number;
  last: ProfileRow | undefined;
}

/** Who was cut off is told how to go on. */
function cutAfter(error: unknown, { rows, last }: Come, part: ProfilePart): unknown {
  if (!(error instanceof OperatingError) || last === undefined) return error;
  const time = last.time === undefined ? '' : dateTimeText(dateTimeFrom(last.time)).slice(0, 19);
  const byTime = LOCAL.test(time) ? `--from ${time}, whose row comes again` : undefined;
  const on = part.kind === 'entry' ? `--entries ${part.fromEntry + rows}-` : byTime;
  const failure = failureOf(error);
  if (on === undefined) return error;
  return errorOf({ ...failure, hint: `${rows} rows have come; go on with ${on}` });
}

const ENTRIES_MAX = 0xffff_ffff;

/** Errors: `usage`. */
function partOf({ from, to, entries }: Invocation['options']): ProfilePart {
  if (typeof entries === 'string') {
    const [, first, last] = /^(\d+)-(\d*)$/.exec(entries) ?? [];
    if (first === undefined) throw usage('--entries takes FIRST-LAST, or FIRST-');
    const fromEntry = numberIn('--entries', first, 1, ENTRIES_MAX);
    const toEntry = last === '' ? 0 : numberIn('--entries', last, fromEntry, ENTRIES_MAX);
    return { kind: 'entry', fromEntry, toEntry };
  }
  if (from === undefined && to === undefined) return { kind: 'all' };
  const begin = from === undefined ? EARLIEST_S : secondFrom('--from', from);
  const end = to === undefined ? Math.max(begin, nowS()) + DAY_S : secondFrom('--to', to);
  return { kind: 'range', from: shownAt(begin), to: shownAt(end) };
}

const DAY_S = 86_400;
/** Before any meter that is asked today was made. */
const EARLIEST_S = Date.UTC(2000, 0, 1) / 1000;

/** Wherever the meter is, its local time is less than a day ahead. */
function nowS(): number {
  return machineClock.wall().second;
}

const LOCAL = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?)?$/;

/** The meter's own local time, as it shows it; a date alone is its midnight. */
function secondFrom(option: string, word: string | boolean): number {
  const text = typeof word === 'string' && LOCAL.test(word) ? word : '';
  const full = text.includes('T') ? text : `${text}T00:00`;
  const second = Date.parse(`${full}Z`) / 1000;
  if (text === '' || Number.isNaN(second)) {
    throw usage(`${option} takes the meter's local time: 2026-11-21 or 2026-11-21T06:15`);
  }
  return second;
}

type Scalers = readonly (ScalerUnit | undefined)[];

interface Printer {
  layout(terminal: Terminal, layout: ProfileLayout, scalers: Scalers): void;
  row(terminal: Terminal, row: ProfileRow, scalers: Scalers): void;
}

const TEXT: Printer = {
  layout(terminal, { columns }, scalers) {
    const named = columns.map(({ instanceId, attributeId }, index) => {
      const unit = scalers[index]?.unit ?? '';
      return `${obisText(instanceId)}/${attributeId}${unit === '' ? '' : ` ${unit}`}`;
    });
    terminal.err(named.join('  '));
  },
  row(terminal, { time, values }, scalers) {
    const shown = values.flatMap((data, index) => {
      if (data.value === time) return [];
      const scaled = scaledBy(data, scalers[index] ?? UNSCALED).value;
      return [scaled ?? dataText(data)];
    });
    const at = time === undefined ? [] : [dateTimeText(dateTimeFrom(time))];
    terminal.out([...at, ...shown].join('  '));
  },
};

const UNSCALED: ScalerUnit = { scaler: 0, unit: '' };

const JSON_LINES: Printer = {
  layout(terminal, layout, scalers) {
    const columns = layout.columns.map(({ instanceId, ...column }, index) => ({
      logicalName: obisText(instanceId),
      name: obisWords(instanceId),
      ...column,
      ...scalers[index],
    }));
    terminal.out(jsonLine({ columns, capturePeriodS: layout.capturePeriodS }));
  },
  row(terminal, { time, values }) {
    const at = time === undefined ? {} : { time: dateTimeText(dateTimeFrom(time)) };
    terminal.out(jsonLine({ ...at, values: values.map(dataJson) }));
  },
};
