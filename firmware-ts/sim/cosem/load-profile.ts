import { obisFrom } from '#protocol/cosem/obis.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { dataOfCaptureObject } from '#protocol/dlms/selective-access.ts';
import type { Served } from '#protocol/dlms/server/server-objects.ts';
import type { CaptureObject, SelectiveAccess } from '#protocol/dlms/service.ts';
import type { MeterClock } from './meter-clock.ts';
import { localSecondIn } from './meter-clock.ts';
import type { SimulatedObject } from './object.ts';
import { array, octets, structure, unsigned32 } from './object.ts';

/** A register that the profile captures. */
export interface ProfileColumn {
  readonly obis: string;
  /** Its raw value at a local second. */
  readonly at: (localS: number) => number;
}

export interface LoadProfileOptions {
  readonly clock: MeterClock;
  readonly clockName: string;
  readonly columns: readonly ProfileColumn[];
  readonly periodS: number;
  /** At the start. */
  readonly rows: number;
  readonly capacity: number;
}

/** A load profile that grows by a row each period; every row is known from its time. */
export class LoadProfile implements SimulatedObject {
  readonly classId = 7;
  readonly version = 1;
  readonly #options: LoadProfileOptions;
  readonly #begunS: number;

  readonly attributes: SimulatedObject['attributes'];

  constructor(options: LoadProfileOptions) {
    this.#options = options;
    this.#begunS = this.#lastS() - (options.rows - 1) * options.periodS;
    const clock = columnOf(8, options.clockName);
    const columns = [clock, ...options.columns.map(({ obis }) => columnOf(3, obis))];
    this.attributes = {
      2: () => this.#buffer(0, this.#inUse()),
      3: array(columns.map(dataOfCaptureObject)),
      4: unsigned32(options.periodS),
      7: () => unsigned32(this.#inUse()),
      8: unsigned32(options.capacity),
    };
  }

  selected(access: SelectiveAccess): Served {
    const inUse = this.#inUse();
    if (access.kind === 'entry') {
      const last = access.toEntry === 0 ? inUse : Math.min(inUse, access.toEntry);
      return { data: this.#buffer(access.fromEntry - 1, last) };
    }
    if (access.kind !== 'range') return { refused: 'scope-of-access-violated' };
    const [from, to] = [localSecondIn(access.from), localSecondIn(access.to)];
    if (from === undefined || to === undefined) return { refused: 'type-unmatched' };
    const { periodS } = this.#options;
    const first = this.#firstS(inUse);
    const begin = Math.max(0, Math.ceil((from - first) / periodS));
    const end = Math.min(inUse, Math.floor((to - first) / periodS) + 1);
    return { data: this.#buffer(begin, end) };
  }

  /** Rows from `begin` to before `end`, the oldest first. */
  #buffer(begin: number, end: number): Data {
    const first = this.#firstS(this.#inUse());
    const { clock, columns, periodS } = this.#options;
    const count = Math.max(0, end - begin);
    return array(
      Array.from({ length: count }, (_, index) => {
        const localS = first + (begin + index) * periodS;
        const values = columns.map(({ at }) => unsigned32(at(localS)));
        return structure(octets(clock.timeAt(localS)), ...values);
      }),
    );
  }

  #lastS(): number {
    const { clock, periodS } = this.#options;
    return Math.floor(clock.localS() / periodS) * periodS;
  }

  #firstS(inUse: number): number {
    return this.#lastS() - (inUse - 1) * this.#options.periodS;
  }

  #inUse(): number {
    const { capacity, periodS } = this.#options;
    const grown = (this.#lastS() - this.#begunS) / periodS + 1;
    return Math.max(0, Math.min(capacity, grown));
  }
}

function columnOf(classId: number, obis: string): CaptureObject {
  return { classId, instanceId: obisFrom(obis), attributeId: 2, dataIndex: 0 };
}
