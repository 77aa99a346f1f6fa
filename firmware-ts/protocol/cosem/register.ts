import { OperatingError } from '#bytes/failure.ts';
import type { Data } from '../dlms/data.ts';
import type { Procedure } from '../dlms/procedure.ts';
import { ask, dataOf } from '../dlms/procedure.ts';
import { unitSymbol } from './units.ts';

/** scal_unit_type (IEC 62056-6-2, 4.3.2.2). */
export interface ScalerUnit {
  /** The value times ten to this power. */
  readonly scaler: number;
  /** Symbol; empty where there is none. */
  readonly unit: string;
}

export interface RegisterValue {
  readonly data: Data;
  /** Decimal, exact; absent where the value is no number. */
  readonly value?: string;
  readonly unit: string;
}

const VALUE = 2;
const SCALER_UNIT = 3;

/** Value with its unit, of a register (class 3) or an extended one (4). Errors: the services'. */
export function* readRegister(classId: number, instanceId: Uint8Array): Procedure<RegisterValue> {
  const { value } = yield* readScaledRegister(classId, instanceId);
  return value;
}

/** As `readRegister`, with scaler and unit where the meter told them. */
export function* readScaledRegister(
  classId: number,
  instanceId: Uint8Array,
): Procedure<{ readonly value: RegisterValue; readonly scalerUnit?: ScalerUnit }> {
  const attributes = [VALUE, SCALER_UNIT].map((attributeId) => ({
    classId,
    instanceId,
    attributeId,
  }));
  const [value, scaler] = yield* ask({ kind: 'get', attributes });
  const data = dataOf(value, { classId, instanceId, attributeId: VALUE });
  if (scaler?.kind !== 'done' || scaler.data === undefined) {
    return { value: scaledBy(data, { scaler: 0, unit: '' }) };
  }
  const scalerUnit = scalerUnitFrom(scaler.data);
  return { value: scaledBy(data, scalerUnit), scalerUnit };
}

/** Errors: `unexpected-type`. */
export function scalerUnitFrom(data: Data): ScalerUnit {
  const [scaler, unit] = data.type === 'structure' ? data.value : [];
  if (typeof scaler?.value !== 'number' || typeof unit?.value !== 'number') {
    throw new OperatingError('unexpected-type', 'no scaler and unit', { field: 'scaler-unit' });
  }
  return { scaler: scaler.value, unit: unitSymbol(unit.value) };
}

export function scaledBy(data: Data, { scaler, unit }: ScalerUnit): RegisterValue {
  const { value } = data;
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) {
    return { data, value: shifted(BigInt(value), scaler), unit };
  }
  if (typeof value !== 'number') return { data, unit };
  return { data, value: String(value * 10 ** scaler), unit };
}

/** `integer` times ten to the power of `scaler`, in digits. */
function shifted(integer: bigint, scaler: number): string {
  if (scaler >= 0) return String(integer * 10n ** BigInt(scaler));
  const sign = integer < 0n ? '-' : '';
  const digits = String(integer < 0n ? -integer : integer).padStart(1 - scaler, '0');
  return `${sign}${digits.slice(0, scaler)}.${digits.slice(scaler)}`;
}
