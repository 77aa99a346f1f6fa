import { obisFrom, obisText } from '#protocol/cosem/obis.ts';
import { shownAt } from '#protocol/cosem/local-time.ts';
import { unitCode } from '#protocol/cosem/units.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { dateTimeFrom, encodeDateTime, localSecondOf } from '#protocol/dlms/date-time.ts';
import { dataOfCaptureObject } from '#protocol/dlms/selective-access.ts';
import type { DataAccessWord } from '#protocol/dlms/results.ts';
import type { Served, ServerObjects } from '#protocol/dlms/server/server-objects.ts';
import type {
  ActionItem,
  AttributeReference,
  CaptureObject,
  SetItem,
} from '#protocol/dlms/service.ts';
import type { Clock } from '#system/clock.ts';
import { CosemImage } from './cosem-image.ts';

/** Attributes of one object by number; a function is asked each time. */
type Attributes = Readonly<Record<number, Data | (() => Data)>>;

interface SimulatedObject {
  readonly classId: number;
  readonly version: number;
  readonly attributes: Attributes;
}

const PERIOD_S = 900;
const CET_DEVIATION = -60;
const CLOCK_NAME = '0-0:1.0.0*255';
const PROFILE_NAME = '1-0:99.1.0*255';
const ENERGY_NAME = '1-0:1.8.0*255';
const DISCONNECTOR_NAME = '0-0:96.3.10*255';
const FIRMWARE = 'normd-sim 1';
const IMAGE_NAME = '0-0:44.0.0*255';

export interface CosemObjectsOptions {
  readonly clock: Clock;
  readonly deviceName: string;
  /** Quarter hours that the load profile holds. */
  readonly profileRows: number;
  /** The clock does not tell how it stands to UTC, as many meters' clocks do not. */
  readonly openDeviation?: boolean;
}

/**
 * The objects of a simulated meter: name, clock, registers whose values follow from the time
 * alone, a load profile of quarter hours, a disconnector, and the list of all.
 */
export class CosemObjects implements ServerObjects {
  readonly #options: CosemObjectsOptions;
  /** By how much the meter's clock was set off this machine's. */
  #offsetS = 0;
  #connected = true;
  readonly image = new CosemImage();
  readonly #objects: ReadonlyMap<string, SimulatedObject>;

  constructor(options: CosemObjectsOptions) {
    this.#options = options;
    this.#objects = new Map(Object.entries(this.#all()));
  }

  get(attribute: AttributeReference): Served {
    const found = this.#objects.get(obisText(attribute.instanceId));
    if (found === undefined) return { refused: 'object-undefined' };
    if (found.classId !== attribute.classId) return { refused: 'object-class-inconsistent' };
    if (attribute.access !== undefined) return this.#selected(attribute);
    const value = found.attributes[attribute.attributeId];
    if (value === undefined) return { refused: 'object-undefined' };
    return { data: typeof value === 'function' ? value() : value };
  }

  set({ attribute, data }: SetItem): DataAccessWord {
    const name = obisText(attribute.instanceId);
    if (!this.#objects.has(name)) return 'object-undefined';
    if (name !== CLOCK_NAME || attribute.attributeId !== 2) return 'read-write-denied';
    if (data.type !== 'octet-string' || data.value.length !== 12) return 'type-unmatched';
    const second = localSecondOf(dateTimeFrom(data.value));
    if (second === undefined) return 'other-reason';
    this.#offsetS = second - this.#machineLocalS();
    return 'success';
  }

  act({ method, parameters }: ActionItem): { readonly result: DataAccessWord } {
    const name = obisText(method.instanceId);
    if (name === IMAGE_NAME) return { result: this.image.act(method.methodId, parameters) };
    if (name !== DISCONNECTOR_NAME) return { result: 'object-undefined' };
    if (method.methodId !== 1 && method.methodId !== 2) return { result: 'object-undefined' };
    this.#connected = method.methodId === 2;
    return { result: 'success' };
  }

  #all(): Record<string, SimulatedObject> {
    const { deviceName } = this.#options;
    return {
      '0-0:40.0.0*255': object(15, 1, { 2: () => this.#objectList() }),
      '0-0:42.0.0*255': object(1, 0, { 2: octets(Buffer.from(deviceName, 'latin1')) }),
      '1-0:0.2.0*255': object(1, 0, { 2: octets(Buffer.from(FIRMWARE, 'latin1')) }),
      [CLOCK_NAME]: object(8, 0, {
        2: () => octets(this.#timeAt(this.#localS())),
        3: { type: 'long', value: CET_DEVIATION },
      }),
      [ENERGY_NAME]: register(() => energyAt(this.#localS()), 0, 'Wh'),
      '1-0:32.7.0*255': register(() => voltageAt(this.#localS()), -1, 'V'),
      [PROFILE_NAME]: object(7, 1, {
        2: () => this.#buffer(0, this.#options.profileRows),
        3: { type: 'array', value: COLUMNS.map(dataOfCaptureObject) },
        4: { type: 'double-long-unsigned', value: PERIOD_S },
        7: () => ({ type: 'double-long-unsigned', value: this.#options.profileRows }),
        8: () => ({ type: 'double-long-unsigned', value: this.#options.profileRows }),
      }),
      [DISCONNECTOR_NAME]: object(70, 0, {
        2: () => ({ type: 'boolean', value: this.#connected }),
        3: () => ({ type: 'enum', value: this.#connected ? 1 : 0 }),
        4: { type: 'enum', value: 4 },
      }),
      [IMAGE_NAME]: object(18, 0, this.image.attributes),
    };
  }

  #selected({ access, attributeId }: AttributeReference): Served {
    if (attributeId !== 2) return { refused: 'scope-of-access-violated' };
    const rows = this.#options.profileRows;
    if (access?.kind === 'entry') {
      const last = access.toEntry === 0 ? rows : Math.min(rows, access.toEntry);
      return { data: this.#buffer(access.fromEntry - 1, last) };
    }
    if (access?.kind !== 'range') return { refused: 'scope-of-access-violated' };
    const [from, to] = [secondIn(access.from), secondIn(access.to)];
    if (from === undefined || to === undefined) return { refused: 'type-unmatched' };
    const first = this.#firstRowS();
    const begin = Math.max(0, Math.ceil((from - first) / PERIOD_S));
    const end = Math.min(rows, Math.floor((to - first) / PERIOD_S) + 1);
    return { data: this.#buffer(begin, end) };
  }

  /** Rows from `begin` to before `end`, the oldest first. */
  #buffer(begin: number, end: number): Data {
    const first = this.#firstRowS();
    const value = Array.from({ length: Math.max(0, end - begin) }, (_, index): Data => {
      const second = first + (begin + index) * PERIOD_S;
      const energy: Data = { type: 'double-long-unsigned', value: energyAt(second) };
      return { type: 'structure', value: [octets(this.#timeAt(second)), energy] };
    });
    return { type: 'array', value };
  }

  #firstRowS(): number {
    const last = Math.floor(this.#localS() / PERIOD_S) * PERIOD_S;
    return last - (this.#options.profileRows - 1) * PERIOD_S;
  }

  #machineLocalS(): number {
    return this.#options.clock.wall().second - CET_DEVIATION * 60;
  }

  #localS(): number {
    return this.#machineLocalS() + this.#offsetS;
  }

  #timeAt(localSecond: number): Uint8Array {
    const clockStatus = {
      invalidValue: false,
      doubtfulValue: false,
      differentClockBase: false,
      invalidStatus: false,
      daylightSaving: false,
    };
    const told = this.#options.openDeviation === true ? {} : { deviation: CET_DEVIATION };
    return encodeDateTime({ ...shownAt(localSecond), hundredths: 0, ...told, clockStatus });
  }

  #objectList(): Data {
    const value = Array.from(this.#objects, ([name, { classId, version, attributes }]): Data => {
      const ids = [1, ...Object.keys(attributes).map(Number)];
      const rights = ids.map((id): Data => ({
        type: 'structure',
        value: [
          { type: 'integer', value: id },
          { type: 'enum', value: 1 },
          { type: 'null-data', value: null },
        ],
      }));
      return {
        type: 'structure',
        value: [
          { type: 'long-unsigned', value: classId },
          { type: 'unsigned', value: version },
          octets(obisFrom(name)),
          {
            type: 'structure',
            value: [
              { type: 'array', value: rights },
              { type: 'array', value: [] },
            ],
          },
        ],
      };
    });
    return { type: 'array', value };
  }
}

const COLUMNS: readonly CaptureObject[] = [
  { classId: 8, instanceId: obisFrom(CLOCK_NAME), attributeId: 2, dataIndex: 0 },
  { classId: 3, instanceId: obisFrom(ENERGY_NAME), attributeId: 2, dataIndex: 0 },
];

function secondIn(data: Data): number | undefined {
  if (data.type !== 'octet-string' || data.value.length !== 12) return undefined;
  return localSecondOf(dateTimeFrom(data.value));
}

const EPOCH_S = Date.UTC(2026, 0, 1) / 1000;
const WH_PER_S = 0.5;

/** Energy grows by 1.8 kW, so that every row is known from its time. */
function energyAt(localSecond: number): number {
  return Math.max(0, Math.floor((localSecond - EPOCH_S) * WH_PER_S));
}

function voltageAt(localSecond: number): number {
  return 2300 + (localSecond % 7);
}

function object(classId: number, version: number, attributes: Attributes): SimulatedObject {
  return { classId, version, attributes };
}

function register(value: () => number, scaler: number, unit: string): SimulatedObject {
  return object(3, 0, {
    2: () => ({ type: 'double-long-unsigned', value: value() }),
    3: {
      type: 'structure',
      value: [
        { type: 'integer', value: scaler },
        { type: 'enum', value: unitCode(unit) ?? 255 },
      ],
    },
  });
}

function octets(value: Uint8Array): Data {
  return { type: 'octet-string', value };
}
