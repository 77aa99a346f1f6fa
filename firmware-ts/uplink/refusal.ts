import type { Failure } from '#bytes/failure.ts';
import { REASONS, type Reason } from './reason-codes.ts';

/** A reason code that the standard does not know. */
const UNKNOWN: Reason = { name: '', code: 'broker-refused', words: 'the broker refuses' };

/** A reason code of MQTT 5 (PUBACK, SUBACK, CONNACK or DISCONNECT) as a failure. */
export function refusalOf(reasonCode: number): Failure {
  const hex = `0x${reasonCode.toString(16).padStart(2, '0')}`;
  const { code, words, hint } = REASONS.get(reasonCode) ?? UNKNOWN;
  return { code, message: `${words} (${hex})`, ...(hint === undefined ? {} : { hint }) };
}

/** CONNACK return codes of MQTT 3.1.1 (3.2.2.3, Table 3.1), by their MQTT 5 counterpart. */
const RETURN_CODES: Readonly<Record<number, number>> = {
  1: 0x84,
  2: 0x85,
  3: 0x88,
  4: 0x86,
  5: 0x87,
};

/** A CONNACK code of either version; a 3.1.1 broker answers an MQTT 5 client in its own codes. */
export function connectRefusalOf(code: number): Failure {
  return refusalOf(RETURN_CODES[code] ?? code);
}
