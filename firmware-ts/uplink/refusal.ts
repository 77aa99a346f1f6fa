import type { Failure } from '#bytes/failure.ts';

/**
 * Reason codes with which a broker refuses (MQTT 5.0, 2.4, Table 2-6), and what to do about them.
 * A code that is not here is `broker-refused`.
 */
const REFUSALS: Readonly<Record<number, readonly [code: string, words: string, hint: string]>> = {
  0x80: ['broker-error', 'the broker names no reason', "Look into the broker's log."],
  0x83: ['broker-error', 'the broker has an error of its own', "Look into the broker's log."],
  0x84: ['protocol-version-refused', 'the broker does not speak MQTT 5', ''],
  0x85: ['client-id-refused', 'the broker refuses the client identifier', allow('client id')],
  0x86: ['not-authorised', 'the broker knows no such user', allow("certificate's CN")],
  0x87: ['not-authorised', 'the broker does not allow it', allow('topics nd/1/GATEWAY/#')],
  0x88: ['broker-unavailable', 'the broker is not available', 'It is tried again by itself.'],
  0x89: ['broker-busy', 'the broker is busy', 'It is tried again by itself.'],
  0x8a: ['banned', 'the broker has banned this client', "Ask the broker's operator."],
  0x8b: ['broker-unavailable', 'the broker shuts down', 'It is tried again by itself.'],
  0x8e: [
    'session-taken-over',
    'another client uses the same identifier',
    'Two gateways must not share a name.',
  ],
  0x90: ['topic-refused', 'the broker refuses the topic name', allow('topics nd/1/GATEWAY/#')],
  0x95: ['packet-too-large', 'the packet is larger than the broker takes', 'Raise its limit.'],
  0x96: ['quota-exceeded', 'more messages than the broker allows', 'Raise the quota.'],
  0x97: ['quota-exceeded', "the broker's quota is used up", 'Raise the quota.'],
  0x99: ['payload-invalid', 'the broker refuses the payload format', 'Check its rules.'],
  0x9a: ['retain-not-supported', 'the broker keeps no presence', 'Allow retained messages.'],
  0x9c: ['broker-moved', 'the broker asks to use another server', 'Set its new address.'],
  0x9d: ['broker-moved', 'the broker has moved', 'Set its new address.'],
  0x9f: ['quota-exceeded', 'too many connections in a time', 'It is tried again by itself.'],
};

function allow(what: string): string {
  return `Allow this gateway's ${what} on the broker.`;
}

/** A reason code of MQTT 5 (PUBACK, CONNACK or DISCONNECT) as a failure. */
export function refusalOf(reasonCode: number): Failure {
  const hex = `0x${reasonCode.toString(16).padStart(2, '0')}`;
  const [code, words, hint] = REFUSALS[reasonCode] ?? ['broker-refused', 'the broker refuses', ''];
  return { code, message: `${words} (${hex})`, ...(hint === '' ? {} : { hint }) };
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
