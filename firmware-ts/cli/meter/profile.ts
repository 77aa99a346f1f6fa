import { shownAt } from '#protocol/cosem/local-time.ts';
import { obisFrom, obisText } from '#protocol/cosem/obis.ts';
import type { ProfilePart, ProfileTold } from '#protocol/cosem/read-profile.ts';
import { readProfile } from '#protocol/cosem/read-profile.ts';
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
  const print = invocation.json ? printJson : printText;
  const { rows } = await withMeter(invocation, (meter) =>
    meter.run(readProfile({ logicalName, part }), async (told) => {
      print(terminal, told);
      await terminal.drained();
    }),
  );
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

function printText(terminal: Terminal, told: ProfileTold): void {
  if (told.kind === 'columns') {
    const columns = told.columns.map(
      ({ instanceId, attributeId }) => `${obisText(instanceId)}/${attributeId}`,
    );
    terminal.err(columns.join('  '));
    return;
  }
  const { time, values } = told.row;
  const shown = values.filter(({ value }) => value !== time).map(dataText);
  const at = time === undefined ? [] : [dateTimeText(dateTimeFrom(time))];
  terminal.out([...at, ...shown].join('  '));
}

function printJson(terminal: Terminal, told: ProfileTold): void {
  if (told.kind === 'columns') {
    const columns = told.columns.map(({ instanceId, ...column }) => ({
      logicalName: obisText(instanceId),
      ...column,
    }));
    terminal.out(jsonLine({ columns, capturePeriodS: told.capturePeriodS }));
    return;
  }
  const { time, values } = told.row;
  const at = time === undefined ? {} : { time: dateTimeText(dateTimeFrom(time)) };
  terminal.out(jsonLine({ ...at, values: values.map(dataJson) }));
}
