import { readDeviceName } from '#protocol/cosem/known-scalers.ts';
import { quirksOf } from '#protocol/cosem/meter-quirks.ts';
import type { CosemDateTime } from '#protocol/dlms/date-time.ts';
import { localSecondOf } from '#protocol/dlms/date-time.ts';
import type { FromCosemOptions } from '#reading/from-cosem.ts';
import type { TimeZone } from '#system/time-zone.ts';
import type { MeterSession } from './meter-session.ts';

/** How times are understood that a meter of this name shows without a deviation. */
export function localTimeOf(zone: TimeZone | undefined, deviceName: string): FromCosemOptions {
  if (zone === undefined) return {};
  const { standardTime } = quirksOf(deviceName);
  return { localOffsetMin: standardTime === true ? zone.winterOffsetMin : zone.offsetMin };
}

/**
 * Local time minus UTC, in minutes, of a meter's clock that shows this: by its deviation, else by
 * the zone that somebody gave it. `undefined` where neither tells. Errors: those of the session.
 */
export async function offsetMinOf(
  session: MeterSession,
  shown: CosemDateTime,
  zone: TimeZone | undefined,
): Promise<number | undefined> {
  if (shown.deviation !== undefined) return 0 - shown.deviation;
  const localSecond = localSecondOf(shown);
  if (zone === undefined || localSecond === undefined) return undefined;
  // Some show another time than their zone's.
  const deviceName = await session.run(readDeviceName());
  return localTimeOf(zone, deviceName).localOffsetMin?.(localSecond);
}
