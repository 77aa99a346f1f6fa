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
import type { CosemDateTime } from '#protocol/dlms/date-time.ts';
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
  const { rows } = await withMeter(invocation, terminal, async (meter) => {
    const layout = await meter.run(readProfileLayout(logicalName));
    const scalers = await meter.run(readScalers(layout.columns));
    print.layout(terminal, layout, scalers);
    return meter.run(readProfile({ logicalName, part, ...layout }), async (told) => {
      if (told.kind !== 'rows') return;
      for (let index = 0; index < told.rows.count; index += 1) {
        print.row(terminal, told.rows.row(index), scalers);
        await terminal.drained();
      }
    });
  });
  if (!invocation.json) terminal.err(`${rows} rows`);
  return EXIT.ok;
});

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
  return { kind: 'range', from: timeFrom('--from', from), to: timeFrom('--to', to) };
}

const LOCAL = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?)?$/;

/** The meter's own local time, as it shows it; a date alone is its midnight. */
function timeFrom(option: string, word: string | boolean | undefined): CosemDateTime {
  const text = typeof word === 'string' && LOCAL.test(word) ? word : '';
  const full = text.includes('T') ? text : `${text}T00:00`;
  const second = Date.parse(`${full}Z`) / 1000;
  if (text === '' || Number.isNaN(second)) {
    throw usage(`${option} takes the meter's local time: 2026-11-21 or 2026-11-21T06:15`);
  }
  return shownAt(second);
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
