import type { MeterSession } from '#acquisition/meter-session.ts';
import { OperatingError } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import { obisText } from '#protocol/cosem/obis.ts';
import { writtenValue } from '#protocol/cosem/classes/written-value.ts';
import { encodeData } from '#protocol/dlms/axdr.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { get, set } from '#protocol/dlms/procedure.ts';
import type { Invocation } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import type { Terminal } from '../terminal.ts';
import { dataJson, dataText } from './data-text.ts';
import { countryOf, meterVerb, withMeter } from './session.ts';
import type { Found } from './wanted.ts';
import { findWanted, wantedFrom } from './wanted.ts';

/** What was, or would be, written. */
interface Writing {
  readonly found: Found;
  readonly before: Data | undefined;
  readonly data: Data;
  readonly written: boolean;
}

/** `normctl meter write OBJECT ATTRIBUTE VALUE [--dry-run] [--yes]` */
export const meterWrite = meterVerb(async (invocation, terminal) => {
  const [object = '', attribute = '', text = ''] = invocation.arguments;
  const wanted = wantedFrom(object, attribute, countryOf(invocation));
  const written = valueIn(text);
  const done = await withMeter(invocation, terminal, async (meter, names) => {
    const found = await findWanted(meter, wanted, names);
    const before = await presentOf(meter, found);
    const data = writtenValue(found.attribute?.shape ?? 'choice', written, before);
    const writing = { found, before, data };
    if (invocation.options['dryRun'] === true) return { ...writing, written: false };
    await writeConfirmed(meter, writing, invocation, terminal);
    return { ...writing, written: true };
  });
  if (invocation.json) printData(terminal, invocation, jsonOf(done));
  else for (const line of linesOf(done)) terminal.out(line);
  return EXIT.ok;
});

/** A number, true, false, a list or an object as JSON has it; anything else is a text. */
function valueIn(text: string): unknown {
  if (/^-?\d+$/.test(text) && !Number.isSafeInteger(Number(text))) return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

/** What may not be read may still be written. */
async function presentOf(meter: MeterSession, found: Found): Promise<Data | undefined> {
  const { classId, logicalName: instanceId, attributeId } = found;
  try {
    return await meter.run(get({ classId, instanceId, attributeId }));
  } catch (error) {
    if (error instanceof OperatingError && error.code === 'access-denied') return undefined;
    throw error;
  }
}

async function writeConfirmed(
  meter: MeterSession,
  { found, before, data }: Omit<Writing, 'written'>,
  invocation: Invocation,
  terminal: Terminal,
): Promise<void> {
  if (before !== undefined) terminal.err(`it is ${dataText(before)}`);
  await confirm(`Write ${dataText(data)} to ${nameOf(found)}?`, invocation, terminal);
  const { classId, logicalName: instanceId, attributeId } = found;
  await meter.run(set({ attribute: { classId, instanceId, attributeId }, data }));
}

function nameOf({ logicalName, attribute, attributeId }: Found): string {
  return `${obisText(logicalName)} ${attribute?.name ?? attributeId}`;
}

function linesOf({ found, before, data, written }: Writing): readonly string[] {
  const was = before === undefined ? '' : `, it was ${dataText(before)}`;
  const line = `${nameOf(found)}  ${dataText(data)}`;
  if (written) return [`${line}  written${was}`];
  return [`${line}  not written${was}`, `${data.type}  ${toHex(encodeData(data))}`];
}

function jsonOf({ found, before, data, written }: Writing): object {
  const { logicalName, classId, attributeId } = found;
  return {
    object: obisText(logicalName),
    classId,
    attributeId,
    ...(before === undefined ? {} : { before: dataJson(before) }),
    data: dataJson(data),
    octets: toHex(encodeData(data)),
    written,
  };
}
