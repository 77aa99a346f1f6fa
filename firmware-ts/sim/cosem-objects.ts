import { obisFrom, obisText } from '#protocol/cosem/obis.ts';
import type { Data } from '#protocol/dlms/data.ts';
import type { DataAccessWord } from '#protocol/dlms/results.ts';
import type { Served, ServerObjects } from '#protocol/dlms/server/server-objects.ts';
import type { ActionItem, AttributeReference, SetItem } from '#protocol/dlms/service.ts';
import type { Clock } from '#system/clock.ts';
import { CosemImage } from './cosem-image.ts';
import type { RegisterDescription } from './cosem/description.ts';
import { LoadProfile } from './cosem/load-profile.ts';
import { MeterClock } from './cosem/meter-clock.ts';
import type { SimulatedObject } from './cosem/object.ts';
import { array, enumeration, object, octets, register, structure } from './cosem/object.ts';

export const CLOCK_NAME = '0-0:1.0.0*255';
const PROFILE_NAME = '1-0:99.1.0*255';
export const DISCONNECTOR_NAME = '0-0:96.3.10*255';
const FIRMWARE = 'normd-sim 1';
const IMAGE_NAME = '0-0:44.0.0*255';
const ASSOCIATION_NAME = '0-0:40.0.0*255';

export interface CosemObjectsOptions {
  readonly clock: Clock;
  readonly deviceName: string;
  /** Rows of the load profile at the start. */
  readonly profileRows: number;
  /** The clock does not tell how it stands to UTC, as many meters' clocks do not. */
  readonly openDeviation?: boolean;
  /** Rows that it holds: those of the start unless given. */
  readonly profileCapacity?: number;
  /** 900 unless given. */
  readonly profilePeriodS?: number;
  /** One register of energy and one of voltage unless given. */
  readonly registers?: readonly RegisterDescription[];
  /** The disconnector has changed its state. */
  readonly switched?: () => void;
}

const REGISTERS: readonly RegisterDescription[] = [
  {
    obis: '1-0:1.8.0*255',
    unit: 'Wh',
    scaler: 0,
    start: 0,
    perHour: 1800,
    swing: 0,
    captured: true,
  },
  {
    obis: '1-0:32.7.0*255',
    unit: 'V',
    scaler: -1,
    start: 2300,
    perHour: 0,
    swing: 6,
    captured: false,
  },
];

/** What one client sees of a meter's objects, beside those of its association alone. */
export interface SeenBy {
  readonly more: Readonly<Record<string, SimulatedObject>>;
  readonly mayChange: boolean;
}

/**
 * The objects of a simulated meter: name, clock, registers, a load profile, a disconnector, image
 * transfer, and the list of all.
 */
export class CosemObjects implements ServerObjects {
  readonly image = new CosemImage();
  readonly #objects: Readonly<Record<string, SimulatedObject>>;
  readonly #seen: ServerObjects;

  constructor(options: CosemObjectsOptions) {
    this.#objects = objectsOf(options, this.image);
    this.#seen = this.seenBy({ more: {}, mayChange: true });
  }

  seenBy({ more, mayChange }: SeenBy): ServerObjects {
    return new SeenObjects({ ...this.#objects, ...more }, mayChange);
  }

  get(attribute: AttributeReference): Served {
    return this.#seen.get(attribute);
  }

  set(item: SetItem): DataAccessWord {
    return this.#seen.set(item);
  }

  act(item: ActionItem): { readonly result: DataAccessWord } {
    return this.#seen.act(item);
  }
}

function objectsOf(
  options: CosemObjectsOptions,
  image: CosemImage,
): Record<string, SimulatedObject> {
  const { deviceName, profileRows: rows, registers = REGISTERS } = options;
  const clock = new MeterClock(options.clock, options.openDeviation === true);
  const values = registers.map((one) => ({ ...one, at: (localS: number) => rawAt(one, localS) }));
  const profile = new LoadProfile({
    clock,
    clockName: CLOCK_NAME,
    columns: values.filter(({ captured }) => captured),
    periodS: options.profilePeriodS ?? 900,
    rows,
    capacity: options.profileCapacity ?? rows,
  });
  return {
    '0-0:42.0.0*255': object(1, 0, { 2: octets(Buffer.from(deviceName, 'latin1')) }),
    '1-0:0.2.0*255': object(1, 0, { 2: octets(Buffer.from(FIRMWARE, 'latin1')) }),
    [CLOCK_NAME]: clock,
    ...Object.fromEntries(
      values.map(({ obis, at, scaler, unit }) => [
        obis,
        register(() => at(clock.localS()), scaler, unit),
      ]),
    ),
    [PROFILE_NAME]: profile,
    [DISCONNECTOR_NAME]: disconnector(options.switched),
    [IMAGE_NAME]: {
      ...object(18, 0, image.attributes),
      methods: [1, 2, 3, 4],
      act: (methodId, parameters) => image.act(methodId, parameters),
    },
  };
}

const EPOCH_S = Date.UTC(2026, 0, 1) / 1000;
/** What a register of 32 bits holds; then it begins anew. */
const ROLL_OVER = 2 ** 32;

/** It follows from the time alone, so that every row of the profile is known. */
function rawAt({ start, perHour, swing }: RegisterDescription, localS: number): number {
  const grown = Math.max(0, Math.floor(((localS - EPOCH_S) / 3600) * perHour));
  return (start + grown + (localS % (swing + 1))) % ROLL_OVER;
}

function disconnector(switched?: () => void): SimulatedObject {
  let connected = true;
  return {
    ...object(70, 0, {
      2: () => ({ type: 'boolean', value: connected }),
      3: () => enumeration(connected ? 1 : 0),
      4: enumeration(4),
    }),
    methods: [1, 2],
    act(methodId) {
      if (methodId !== 1 && methodId !== 2) return 'object-undefined';
      const before = connected;
      connected = methodId === 2;
      if (connected !== before) switched?.();
      return 'success';
    },
  };
}

class SeenObjects implements ServerObjects {
  readonly #objects: ReadonlyMap<string, SimulatedObject>;
  readonly #mayChange: boolean;

  constructor(objects: Readonly<Record<string, SimulatedObject>>, mayChange: boolean) {
    const association = object(15, 1, { 2: () => this.#objectList() });
    this.#objects = new Map(Object.entries({ [ASSOCIATION_NAME]: association, ...objects }));
    this.#mayChange = mayChange;
  }

  get(attribute: AttributeReference): Served {
    const { instanceId, classId, attributeId, access } = attribute;
    const found = this.#objects.get(obisText(instanceId));
    if (found === undefined) return { refused: 'object-undefined' };
    if (found.classId !== classId) return { refused: 'object-class-inconsistent' };
    if (attributeId === 1) return { data: octets(instanceId) };
    const value = found.attributes[attributeId];
    if (value === undefined) return { refused: 'object-undefined' };
    if (access === undefined) return { data: typeof value === 'function' ? value() : value };
    const selected = attributeId === 2 ? found.selected?.(access) : undefined;
    return selected ?? { refused: 'scope-of-access-violated' };
  }

  set({ attribute, data }: SetItem): DataAccessWord {
    const found = this.#objects.get(obisText(attribute.instanceId));
    if (found === undefined) return 'object-undefined';
    if (!this.#mayChange) return 'read-write-denied';
    return found.set?.(attribute.attributeId, data) ?? 'read-write-denied';
  }

  act({ method, parameters }: ActionItem): { readonly result: DataAccessWord } {
    const found = this.#objects.get(obisText(method.instanceId));
    if (found === undefined) return { result: 'object-undefined' };
    if (!this.#mayChange) return { result: 'read-write-denied' };
    return { result: found.act?.(method.methodId, parameters) ?? 'object-undefined' };
  }

  #objectList(): Data {
    return array(Array.from(this.#objects, ([name, one]) => this.#listed(name, one)));
  }

  #listed(name: string, one: SimulatedObject): Data {
    const attributeIds = [1, ...Object.keys(one.attributes).map(Number)];
    const writable = one.set !== undefined && this.#mayChange;
    return structure(
      { type: 'long-unsigned', value: one.classId },
      { type: 'unsigned', value: one.version },
      octets(obisFrom(name)),
      structure(
        array(attributeIds.map((id) => attributeRight(id, id > 1 && writable))),
        array((one.methods ?? []).map((id) => methodRight(id, this.#mayChange))),
      ),
    );
  }
}

/** Attribute, access mode, no selectors told. */
function attributeRight(id: number, writable: boolean): Data {
  return structure({ type: 'integer', value: id }, enumeration(writable ? 3 : 1), NULL);
}

const NULL: Data = { type: 'null-data', value: null };

function methodRight(id: number, mayChange: boolean): Data {
  return structure({ type: 'integer', value: id }, enumeration(mayChange ? 1 : 0));
}
