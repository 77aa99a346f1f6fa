import { toHex } from '#bytes/hex.ts';
import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import type { AttributeDescriptor } from '../dlms/data.ts';
import type { Procedure } from '../dlms/procedure.ts';
import { ask, get } from '../dlms/procedure.ts';
import type { ServiceResult } from '../dlms/service.ts';
import { obisFrom, obisText } from './obis.ts';
import { readScalers } from './read-scalers.ts';
import type { RegisterValue, ScalerUnit } from './register.ts';
import { readScaledRegister, scaledBy } from './register.ts';

/**
 * What outlives a session: plain, so that it can be kept as JSON beside the other state of the
 * meter.
 */
export interface KeptScalers {
  /** Of the meter that they were read from, and of its firmware. */
  readonly identity: string;
  /** By class, logical name and attribute. */
  readonly scalers: Readonly<Record<string, ScalerUnit>>;
}

/** More registers than any meter has; what is kept must not grow with what a meter claims. */
const REGISTERS_MAX = 4096;

/** Attribute 2 of what tells one meter and one firmware from another; either firmware will do. */
const DEVICE_NAME = valueOf('0-0:42.0.0');
const FIRMWARES = ['1-0:0.2.0', '0-0:0.2.0'].map(valueOf);

/** The logical device name; empty where the meter tells none. Errors: those of the services. */
export function* readDeviceName(): Procedure<string> {
  const [told] = yield* ask({ kind: 'get', attributes: [DEVICE_NAME] });
  return latin1FromBytes(octetsFrom(told) ?? NO_OCTETS);
}

/**
 * Scaler and unit of a meter's registers: asked once, because they are static (IEC 62056-6-2,
 * 4.3.2), and thrown away when another meter or another firmware answers. Whoever runs it keeps
 * `kept`, and begins every association with `recognise`.
 */
export class KnownScalers {
  #identity: string;
  #deviceName = '';
  readonly #scalers: Map<string, ScalerUnit>;

  constructor(kept: KeptScalers = { identity: '', scalers: {} }) {
    this.#identity = kept.identity;
    this.#scalers = new Map(Object.entries(kept.scalers));
  }

  get kept(): KeptScalers {
    return { identity: this.#identity, scalers: Object.fromEntries(this.#scalers) };
  }

  /** The logical device name that `recognise` was told; empty where it was told none. */
  get deviceName(): string {
    return this.#deviceName;
  }

  /**
   * Forgets all where the meter is another than the one known, tells no name, or is known by no
   * firmware; true where something known holds. Errors: those of the services.
   */
  *recognise(): Procedure<boolean> {
    const told = yield* ask({ kind: 'get', attributes: [DEVICE_NAME, ...FIRMWARES] });
    const identity = identityFrom(told);
    this.#deviceName = latin1FromBytes(octetsFrom(told[0]) ?? NO_OCTETS);
    if (identity === undefined || identity !== this.#identity) this.#scalers.clear();
    this.#identity = identity ?? '';
    return this.#scalers.size > 0;
  }

  /** As `readScalers`; only what is not known is asked for. */
  *readScalers(
    attributes: readonly AttributeDescriptor[],
  ): Procedure<readonly (ScalerUnit | undefined)[]> {
    const missing = attributes.filter((attribute) => !this.#scalers.has(keyOf(attribute)));
    const scalers = yield* readScalers(missing);
    for (const [index, attribute] of missing.entries()) this.#keep(attribute, scalers[index]);
    return attributes.map((attribute) => {
      const place = missing.indexOf(attribute);
      return place < 0 ? this.#scalers.get(keyOf(attribute)) : scalers[place];
    });
  }

  /** As `readRegister`; only the value is asked for where the rest is known. */
  *readRegister(classId: number, instanceId: Uint8Array): Procedure<RegisterValue> {
    const register = { classId, instanceId, attributeId: 2 };
    const known = this.#scalers.get(keyOf(register));
    if (known !== undefined) return scaledBy(yield* get(register), known);
    const { scalerUnit, value } = yield* readScaledRegister(classId, instanceId);
    this.#keep(register, scalerUnit);
    return value;
  }

  #keep(attribute: AttributeDescriptor, scalerUnit: ScalerUnit | undefined): void {
    if (scalerUnit === undefined || this.#scalers.size >= REGISTERS_MAX) return;
    this.#scalers.set(keyOf(attribute), scalerUnit);
  }
}

/** Not by object alone: of a register only the value has a scaler, its status has none. */
function keyOf({ classId, instanceId, attributeId }: AttributeDescriptor): string {
  return `${classId}/${obisText(instanceId)}/${attributeId}`;
}

/** Without a firmware's name, another firmware could not be told from this one. */
function identityFrom([device, ...firmwares]: readonly ServiceResult[]): string | undefined {
  const name = textFrom(device);
  const told = firmwares.map(textFrom);
  if (name === undefined || told.every((text) => text === undefined)) return undefined;
  return [name, ...told].join('/');
}

function textFrom(result: ServiceResult | undefined): string | undefined {
  const octets = octetsFrom(result);
  return octets === undefined ? undefined : toHex(octets);
}

const NO_OCTETS = new Uint8Array(0);

function octetsFrom(result: ServiceResult | undefined): Uint8Array | undefined {
  const value = result?.kind === 'done' ? result.data?.value : undefined;
  if (value instanceof Uint8Array) return value;
  return typeof value === 'string' ? bytesFromLatin1(value) : undefined;
}

function valueOf(obis: string): AttributeDescriptor {
  return { classId: 1, instanceId: obisFrom(obis), attributeId: 2 };
}
