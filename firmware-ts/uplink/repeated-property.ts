import type { Packet } from 'mqtt';

/** The one that a PUBLISH may have several of (MQTT 5.0, 3.3.2.3.8). */
const MANY = 'subscriptionIdentifier';

/**
 * A property that a packet has more than once, which is a protocol error (MQTT 5.0, 2.2.2.2). The
 * client makes a list of it where it expects a number, and dies of a Server Keep Alive that is one.
 */
export function repeatedProperty(packet: Packet): string | undefined {
  if (!('properties' in packet)) return undefined;
  const lists = Object.entries(packet.properties).filter(([, value]) => Array.isArray(value));
  return lists.find(([name]) => name !== MANY)?.[0];
}
