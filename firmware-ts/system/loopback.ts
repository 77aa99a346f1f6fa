import { BlockList, isIP } from 'node:net';

/** RFC 1122, 3.2.1.3; RFC 4291, 2.5.3. The list also knows IPv4 addresses mapped into IPv6. */
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Whether what is sent to `host` stays on this machine: an address in its usual form, an IPv6 one
 * also in brackets as a URL has it, or `localhost` (RFC 6761, 6.3). Other names are not asked for,
 * and 127.1 is a name like any: who resolves it decides what it means.
 */
export function isLoopback(host: string): boolean {
  const bare = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
  const version = isIP(bare);
  if (version === 0) return host.toLowerCase() === 'localhost';
  return LOOPBACK.check(bare, version === 4 ? 'ipv4' : 'ipv6');
}
