import { toHex } from '#bytes/hex.ts';
import type { Procedure } from '../dlms/procedure.ts';
import { ask, get } from '../dlms/procedure.ts';
import type { ServiceResult } from '../dlms/service.ts';
import { obisFrom, obisText } from './obis.ts';
import type { RegisterValue, ScalerUnit } from './register.ts';
import { readScaledRegister, scaledBy } from './register.ts';

/**
 * What outlives a session: plain, so that it can be kept as JSON beside the other state of the
 * meter.
 */
export interface KeptScalers {
  /** Of the meter that they were read from, and of its firmware. */
  readonly identity: string;
  /** By class and logical name. */
  readonly scalers: Readonly<Record<string, ScalerUnit>>;
}

/** More registers than any meter has; what is kept must not grow with what a meter claims. */
const REGISTERS_MAX = 4096;

/** Attribute 2 of what tells one meter and one firmware from another. */
const IDENTITY = ['0-0:42.0.0', '1-0:0.2.0'].map((obis) => ({
  classId: 1,
  instanceId: obisFrom(obis),
  attributeId: 2,
}));

/**
 * Scaler and unit of a meter's registers: asked once, because they are static (IEC 62056-6-2,
 * 4.3.2), and thrown away when another meter or another firmware answers. Whoever runs it keeps
 * `kept`, and begins every association with `recognise`.
 */
export class KnownScalers {
  #identity: string;
  readonly #scalers: Map<string, ScalerUnit>;

  constructor(kept: KeptScalers = { identity: '', scalers: {} }) {
    this.#identity = kept.identity;
    this.#scalers = new Map(Object.entries(kept.scalers));
  }

  get kept(): KeptScalers {
    return { identity: this.#identity, scalers: Object.fromEntries(this.#scalers) };
  }

  /**
   * Forgets all where the meter is another than the one known, tells no name, or is known by no
   * firmware; true where something known holds. Errors: those of the services.
   */
  *recognise(): Procedure<boolean> {
    const identity = identityFrom(yield* ask({ kind: 'get', attributes: IDENTITY }));
    if (identity === undefined || identity !== this.#identity) this.#scalers.clear();
    this.#identity = identity ?? '';
    return this.#scalers.size > 0;
  }

  /** As `readRegister`; only the value is asked for where the rest is known. */
  *readRegister(classId: number, instanceId: Uint8Array): Procedure<RegisterValue> {
    const key = `${classId}/${obisText(instanceId)}`;
    const known = this.#scalers.get(key);
    if (known !== undefined) {
      return scaledBy(yield* get({ classId, instanceId, attributeId: 2 }), known);
    }
    const { scalerUnit, value } = yield* readScaledRegister(classId, instanceId);
    if (scalerUnit !== undefined && this.#scalers.size < REGISTERS_MAX) {
      this.#scalers.set(key, scalerUnit);
    }
    return value;
  }
}

/** Without both, another firmware could not be told from this one. */
function identityFrom(results: readonly ServiceResult[]): string | undefined {
  const parts = results.map((result) => {
    const value = result.kind === 'done' ? result.data?.value : undefined;
    return value instanceof Uint8Array ? toHex(value) : value;
  });
  const told = parts.filter((part) => typeof part === 'string');
  return told.length === IDENTITY.length ? told.join('/') : undefined;
}
