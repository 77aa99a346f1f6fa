import { OperatingError } from '#bytes/failure.ts';

export const OBIS_BYTES = 6;

/** `A-B:C.D.E*F` of a logical name (IEC 62056-61; written after EN 13757-1, Annex). */
export function obisText(logicalName: Uint8Array): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = logicalName;
  return `${a}-${b}:${c}.${d}.${e}*${f}`;
}

const PATTERN = /^(\d{1,3})-(\d{1,3}):(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\*(\d{1,3}))?$/;
const CURRENT_BILLING_PERIOD = 255;

export function isObis(text: string): boolean {
  return groupsOf(text) !== undefined;
}

/** The six bytes of `A-B:C.D.E*F`; without `*F`, F is 255. Errors: `bad-obis`. */
export function obisFrom(text: string): Uint8Array {
  const groups = groupsOf(text);
  if (groups !== undefined) return Uint8Array.from(groups);
  throw new OperatingError('bad-obis', `no OBIS code: ${JSON.stringify(text)}`);
}

function groupsOf(text: string): readonly number[] | undefined {
  const groups: readonly (string | undefined)[] = PATTERN.exec(text)?.slice(1) ?? [];
  const values = groups.map((group) => Number(group ?? CURRENT_BILLING_PERIOD));
  return values.length === OBIS_BYTES && values.every((value) => value <= 255) ? values : undefined;
}
