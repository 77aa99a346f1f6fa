import { quirksOf } from '#protocol/cosem/meter-quirks.ts';
import type { FromCosemOptions } from '#reading/from-cosem.ts';
import type { TimeZone } from '#system/time-zone.ts';

/** How times are understood that a meter of this name shows without a deviation. */
export function localTimeOf(zone: TimeZone | undefined, deviceName: string): FromCosemOptions {
  if (zone === undefined) return {};
  const { standardTime } = quirksOf(deviceName);
  return { localOffsetMin: standardTime === true ? zone.winterOffsetMin : zone.offsetMin };
}
