import { shownAt } from '#protocol/cosem/local-time.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { dateTimeFrom, encodeDateTime, localSecondOf } from '#protocol/dlms/date-time.ts';
import type { DataAccessWord } from '#protocol/dlms/results.ts';
import type { Clock } from '#system/clock.ts';
import type { SimulatedObject } from './object.ts';
import { octets } from './object.ts';

const CET_DEVIATION = -60;
const SOUND = {
  invalidValue: false,
  doubtfulValue: false,
  differentClockBase: false,
  invalidStatus: false,
  daylightSaving: false,
};

/** A simulated meter's clock: this machine's, in Central European winter time, until it is set. */
export class MeterClock implements SimulatedObject {
  readonly classId = 8;
  readonly version = 0;
  readonly #clock: Clock;
  readonly #openDeviation: boolean;
  /** By how much it was set off this machine's. */
  #offsetS = 0;

  readonly attributes = {
    2: (): Data => octets(this.timeAt(this.localS())),
    3: { type: 'long', value: CET_DEVIATION },
  } as const;

  constructor(clock: Clock, openDeviation = false) {
    this.#clock = clock;
    this.#openDeviation = openDeviation;
  }

  set(attributeId: number, data: Data): DataAccessWord {
    if (attributeId !== 2) return 'read-write-denied';
    const second = localSecondIn(data);
    if (second === undefined) return 'type-unmatched';
    this.#offsetS += second - this.localS();
    return 'success';
  }

  /** Seconds of local time since 1970. */
  localS(): number {
    return this.#clock.wall().second - CET_DEVIATION * 60 + this.#offsetS;
  }

  timeAt(localS: number): Uint8Array {
    const told = this.#openDeviation ? {} : { deviation: CET_DEVIATION };
    return encodeDateTime({ ...shownAt(localS), hundredths: 0, ...told, clockStatus: SOUND });
  }
}

export function localSecondIn(data: Data): number | undefined {
  if (data.type !== 'octet-string' || data.value.length !== 12) return undefined;
  return localSecondOf(dateTimeFrom(data.value));
}
