/**
 * What follows for a message whose PUBACK has the reason: its stream waits, 1 s and then less and
 * less often up to 5 min (`wait`), the window becomes smaller, too (`slower`), or the message is
 * set aside, alone (`aside`).
 */
export type MessageReaction = 'wait' | 'slower' | 'aside';

/**
 * What follows for a session that a CONNACK or DISCONNECT with the reason ends. In all cases the
 * next broker is dialled, and this one again after 1 s and then less and less often up to 60 s.
 * `less`: it is asked at once for less than MQTT 5 with a retained will. `doubt`: what was in
 * flight may be why, and is sent again beginning with its oldest entry alone, which is set aside
 * after three times. `blame`: it is why, and once is enough.
 */
export type SessionReaction = 'next' | 'less' | 'doubt' | 'blame';

export interface Reason {
  /** The standard's. */
  readonly name: string;
  /** Of the failure; it alone decides the reactions. */
  readonly code: string;
  readonly words: string;
  readonly hint?: string;
}

export interface Reaction {
  readonly message: MessageReaction;
  readonly session: SessionReaction;
}

/** Every failure that a reason code can become. */
export const REACTIONS = {
  'broker-error': { message: 'wait', session: 'doubt' },
  'broker-refused': { message: 'wait', session: 'doubt' },
  'protocol-version-refused': { message: 'wait', session: 'less' },
  'client-id-refused': { message: 'wait', session: 'next' },
  'not-authorised': { message: 'wait', session: 'next' },
  'broker-unavailable': { message: 'wait', session: 'next' },
  'broker-busy': { message: 'wait', session: 'next' },
  banned: { message: 'wait', session: 'next' },
  'session-taken-over': { message: 'wait', session: 'next' },
  'subscription-refused': { message: 'wait', session: 'next' },
  'topic-refused': { message: 'aside', session: 'blame' },
  'packet-too-large': { message: 'aside', session: 'blame' },
  'quota-exceeded': { message: 'slower', session: 'next' },
  'payload-invalid': { message: 'aside', session: 'blame' },
  'retain-not-supported': { message: 'wait', session: 'less' },
  'qos-not-supported': { message: 'wait', session: 'next' },
  'broker-moved': { message: 'wait', session: 'next' },
} as const satisfies Readonly<Record<string, Reaction>>;

type Code = keyof typeof REACTIONS;

/** MQTT 5.0, 2.4, Table 2-6: all from 0x80 on, which are failures. */
export const REASONS: ReadonlyMap<number, Reason> = new Map([
  row(0x80, 'Unspecified error', 'broker-error', 'the broker names no reason', look()),
  row(
    0x81,
    'Malformed Packet',
    'broker-refused',
    'the broker cannot read a packet of ours',
    look(),
  ),
  row(0x82, 'Protocol Error', 'broker-refused', 'the broker does not expect what we sent', look()),
  row(
    0x83,
    'Implementation specific error',
    'broker-error',
    'the broker has an error of its own',
    look(),
  ),
  row(
    0x84,
    'Unsupported Protocol Version',
    'protocol-version-refused',
    'the broker does not speak MQTT 5',
  ),
  row(
    0x85,
    'Client Identifier not valid',
    'client-id-refused',
    'the broker refuses the client identifier',
    allow('client id'),
  ),
  row(
    0x86,
    'Bad User Name or Password',
    'not-authorised',
    'the broker knows no such user',
    allow("certificate's CN"),
  ),
  row(0x87, 'Not authorized', 'not-authorised', 'the broker does not allow it', topics()),
  row(0x88, 'Server unavailable', 'broker-unavailable', 'the broker is not available', again()),
  row(0x89, 'Server busy', 'broker-busy', 'the broker is busy', again()),
  row(0x8a, 'Banned', 'banned', 'the broker has banned this client', "Ask the broker's operator."),
  row(0x8b, 'Server shutting down', 'broker-unavailable', 'the broker shuts down', again()),
  row(
    0x8c,
    'Bad authentication method',
    'not-authorised',
    'the broker wants another authentication',
    allow('certificate'),
  ),
  row(
    0x8d,
    'Keep Alive timeout',
    'broker-unavailable',
    'the broker heard nothing from us for too long',
    'The way may lose packets. It is tried again by itself.',
  ),
  row(
    0x8e,
    'Session taken over',
    'session-taken-over',
    'another client uses the same identifier',
    'Two gateways must not share a name.',
  ),
  row(0x8f, 'Topic Filter invalid', 'subscription-refused', 'the broker refuses the filter', rc()),
  row(0x90, 'Topic Name invalid', 'topic-refused', 'the broker refuses the topic name', topics()),
  row(0x91, 'Packet Identifier in use', 'broker-refused', 'the broker lost count of ours', look()),
  row(0x92, 'Packet Identifier not found', 'broker-refused', 'the broker lost count', look()),
  row(0x93, 'Receive Maximum exceeded', 'broker-refused', 'more than the broker takes', look()),
  row(0x94, 'Topic Alias invalid', 'broker-refused', 'the broker refuses an alias', look()),
  row(
    0x95,
    'Packet too large',
    'packet-too-large',
    'the packet is larger than the broker takes',
    'Raise its limit.',
  ),
  row(0x96, 'Message rate too high', 'quota-exceeded', 'more messages than allowed', quota()),
  row(0x97, 'Quota exceeded', 'quota-exceeded', "the broker's quota is used up", quota()),
  row(0x98, 'Administrative action', 'broker-unavailable', "the broker's operator did it", again()),
  row(
    0x99,
    'Payload format invalid',
    'payload-invalid',
    'the broker refuses the payload format',
    'Check its rules.',
  ),
  row(
    0x9a,
    'Retain not supported',
    'retain-not-supported',
    'the broker keeps no presence',
    'Allow retained messages.',
  ),
  row(
    0x9b,
    'QoS not supported',
    'qos-not-supported',
    'the broker acknowledges nothing (QoS 0 only)',
    'Allow QoS 1 on the broker.',
  ),
  row(0x9c, 'Use another server', 'broker-moved', 'the broker asks to use another server', moved()),
  row(0x9d, 'Server moved', 'broker-moved', 'the broker has moved', moved()),
  row(
    0x9e,
    'Shared Subscriptions not supported',
    'subscription-refused',
    'the broker shares no subscriptions',
    rc(),
  ),
  row(
    0x9f,
    'Connection rate exceeded',
    'quota-exceeded',
    'too many connections in a time',
    again(),
  ),
  row(0xa0, 'Maximum connect time', 'broker-unavailable', 'the session was long enough', again()),
  row(
    0xa1,
    'Subscription Identifiers not supported',
    'subscription-refused',
    'the broker knows no subscription identifiers',
    rc(),
  ),
  row(
    0xa2,
    'Wildcard Subscriptions not supported',
    'subscription-refused',
    'the broker refuses wildcards',
    rc(),
  ),
]);

/** Those that a PUBACK may have (MQTT 5.0, 3.4.2.1). */
export const PUBACK_REASONS: ReadonlySet<number> = new Set([
  0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99,
]);

/** The codes of failures for which `wanted` holds. */
export function codesThat(wanted: (reaction: Reaction) => boolean): readonly string[] {
  return Object.entries(REACTIONS).flatMap(([code, reaction]) => (wanted(reaction) ? [code] : []));
}

function row(
  reasonCode: number,
  name: string,
  code: Code,
  words: string,
  hint?: string,
): readonly [number, Reason] {
  return [reasonCode, { name, code, words, ...(hint === undefined ? {} : { hint }) }];
}

function allow(what: string): string {
  return `Allow this gateway's ${what} on the broker.`;
}
function topics(): string {
  return allow('topics nd/1/GATEWAY/#');
}
function rc(): string {
  return allow('subscription to nd/1/GATEWAY/rc');
}
function look(): string {
  return "Look into the broker's log.";
}
function again(): string {
  return 'It is tried again by itself.';
}
function quota(): string {
  return 'Raise the quota.';
}
function moved(): string {
  return 'Set its new address.';
}
