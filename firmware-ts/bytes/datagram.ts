/** What a TCP segment or a UDP datagram says about itself. */
export interface Datagram {
  readonly transport: 'tcp' | 'udp';
  /** IPv4 dotted, IPv6 as RFC 5952 writes it. */
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly destinationAddress: string;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
  /** Payload bytes that were sent and are not here: cut by a snapshot length, or in a fragment. */
  readonly missing: number;
  readonly tcp?: TcpMarks;
}

export interface TcpMarks {
  readonly sequence: number;
  readonly syn: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
}

interface Span {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Where the IP header begins behind each link header; `undefined` where another protocol does. */
type LinkReader = (span: Span) => number | undefined;

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** IEEE 802.1Q, 802.1ad, and the older double tag. */
const ETHERTYPES_VLAN: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
/** A frame carries one or two tags; more are noise. */
const VLAN_TAGS_MAX = 4;

const afterBytes = (length: number): LinkReader => {
  return ({ start }) => start + length;
};

const afterEthertype = (at: number, length: number): LinkReader => {
  return (span) => (isIp(u16(span, at)) ? span.start + length : undefined);
};

const afterEthernet: LinkReader = (span) => {
  let at = 12;
  for (let tag = 0; tag < VLAN_TAGS_MAX && ETHERTYPES_VLAN.has(u16(span, at)); tag += 1) at += 4;
  return isIp(u16(span, at)) ? span.start + at + 2 : undefined;
};

/** Link types by their registered numbers (tcpdump.org, LINKTYPE_ values). */
export const LINK_TYPES: ReadonlyMap<number, LinkReader> = new Map([
  [0, afterBytes(4)], // BSD loopback
  [1, afterEthernet],
  [12, afterBytes(0)], // raw IP, three numbers for one thing
  [14, afterBytes(0)],
  [101, afterBytes(0)],
  [108, afterBytes(4)], // OpenBSD loopback
  [113, afterEthertype(14, 16)], // Linux "any" interface
  [228, afterBytes(0)], // raw IPv4
  [229, afterBytes(0)], // raw IPv6
  [276, afterEthertype(0, 20)], // Linux "any" interface, second version
]);

/** The TCP or UDP content of a link frame; `undefined` where there is none or it is cut short. */
export function datagramOf(
  linkType: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Datagram | undefined {
  const ip = LINK_TYPES.get(linkType)?.({ bytes, start, end });
  if (ip === undefined) return undefined;
  const packet = ipPacket({ bytes, start: ip, end });
  if (packet === undefined) return undefined;
  return packet.protocol === PROTOCOL_TCP ? tcpSegment(packet) : udpDatagram(packet);
}

const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;

interface IpPacket {
  readonly protocol: typeof PROTOCOL_TCP | typeof PROTOCOL_UDP;
  readonly sourceAddress: string;
  readonly destinationAddress: string;
  /** Of the transport header and payload; padding behind the packet is not in it. */
  readonly span: Span;
  /** Where it would end had all been captured and come in one piece. */
  readonly claimedEnd: number;
}

function ipPacket(span: Span): IpPacket | undefined {
  const version = u8(span, 0) >>> 4;
  if (version === 4) return ipv4Packet(span);
  return version === 6 ? ipv6Packet(span) : undefined;
}

/** RFC 791, 3.1. Of a fragmented packet only the first piece is read. */
function ipv4Packet(span: Span): IpPacket | undefined {
  const headerLength = (u8(span, 0) & 15) * 4;
  const fragmentOffset = u16(span, 6) & 0x1fff;
  const protocol = transportOf(u8(span, 9));
  if (headerLength < 20 || fragmentOffset !== 0 || protocol === undefined) return undefined;
  // Segmentation offload leaves 0 here: then the packet is as long as what was captured.
  const claimed = u16(span, 2);
  return {
    protocol,
    sourceAddress: ipv4Address(span, 12),
    destinationAddress: ipv4Address(span, 16),
    ...payloadSpan(span, headerLength, claimed === 0 ? span.end - span.start : claimed),
  };
}

const IPV6_HEADER_BYTES = 40;
const IPV6_FRAGMENT = 44;
/** Hop-by-hop, routing, destination options: next header, then length in 8-byte units less one. */
const IPV6_EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60, IPV6_FRAGMENT]);
const IPV6_EXTENSIONS_MAX = 8;

/** RFC 8200, 3 and 4. Of a fragmented packet only the first piece is read. */
function ipv6Packet(span: Span): IpPacket | undefined {
  let next = u8(span, 6);
  let at = IPV6_HEADER_BYTES;
  for (let count = 0; count < IPV6_EXTENSIONS_MAX && IPV6_EXTENSIONS.has(next); count += 1) {
    const fragment = next === IPV6_FRAGMENT;
    if (fragment && (u16(span, at + 2) & 0xfff8) !== 0) return undefined;
    next = u8(span, at);
    at += fragment ? 8 : (u8(span, at + 1) + 1) * 8;
  }
  const protocol = transportOf(next);
  if (protocol === undefined) return undefined;
  const claimed = u16(span, 4);
  return {
    protocol,
    sourceAddress: ipv6Address(span, 8),
    destinationAddress: ipv6Address(span, 24),
    ...payloadSpan(span, at, claimed === 0 ? span.end - span.start : IPV6_HEADER_BYTES + claimed),
  };
}

function transportOf(protocol: number): IpPacket['protocol'] | undefined {
  return protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP ? protocol : undefined;
}

function payloadSpan(span: Span, headerLength: number, claimedLength: number) {
  const start = span.start + headerLength;
  const claimedEnd = Math.max(start, span.start + claimedLength);
  return { span: { ...span, start, end: Math.min(span.end, claimedEnd) }, claimedEnd };
}

const TCP_HEADER_BYTES = 20;

/** RFC 9293, 3.1. */
function tcpSegment(packet: IpPacket): Datagram | undefined {
  const { span } = packet;
  const headerLength = (u8(span, 12) >>> 4) * 4;
  if (headerLength < TCP_HEADER_BYTES || span.start + headerLength > span.end) return undefined;
  const flags = u8(span, 13);
  const sequence = u16(span, 4) * 0x1_0000 + u16(span, 6);
  return {
    transport: 'tcp',
    ...portsOf(packet),
    ...payloadOf(span, headerLength, packet.claimedEnd),
    tcp: {
      sequence,
      syn: (flags & 2) !== 0,
      fin: (flags & 1) !== 0,
      rst: (flags & 4) !== 0,
    },
  };
}

const UDP_HEADER_BYTES = 8;

/** RFC 768. */
function udpDatagram(packet: IpPacket): Datagram | undefined {
  const { span } = packet;
  const length = u16(span, 4);
  if (length < UDP_HEADER_BYTES || span.start + UDP_HEADER_BYTES > span.end) return undefined;
  const claimedEnd = span.start + length;
  const inside = { ...span, end: Math.min(span.end, claimedEnd) };
  return {
    transport: 'udp',
    ...portsOf(packet),
    ...payloadOf(inside, UDP_HEADER_BYTES, claimedEnd),
  };
}

function portsOf({ span, sourceAddress, destinationAddress }: IpPacket) {
  return {
    sourceAddress,
    sourcePort: u16(span, 0),
    destinationAddress,
    destinationPort: u16(span, 2),
  };
}

function payloadOf({ bytes, start, end }: Span, headerLength: number, claimedEnd: number) {
  const payload = bytes.subarray(start + headerLength, end);
  return { payload, missing: Math.max(0, claimedEnd - end) };
}

function ipv4Address(span: Span, at: number): string {
  return [0, 1, 2, 3].map((index) => u8(span, at + index)).join('.');
}

/** RFC 5952: lower case, no leading zeros, the first longest run of zeros written `::`. */
function ipv6Address(span: Span, at: number): string {
  const groups = Array.from({ length: 8 }, (_, index) => u16(span, at + 2 * index).toString(16));
  let best = { first: 0, length: 1 };
  for (let first = 0; first < groups.length; first += 1) {
    const nonZero = groups.findIndex((group, index) => index >= first && group !== '0');
    const length = (nonZero < 0 ? groups.length : nonZero) - first;
    if (length > best.length) best = { first, length };
  }
  if (best.length === 1) return groups.join(':');
  const before = groups.slice(0, best.first).join(':');
  return `${before}::${groups.slice(best.first + best.length).join(':')}`;
}

/** Zero past the end: whatever header that makes is refused by the length checks above. */
function u8({ bytes, start, end }: Span, at: number): number {
  return start + at < end ? (bytes[start + at] ?? 0) : 0;
}

function u16(span: Span, at: number): number {
  return (u8(span, at) << 8) | u8(span, at + 1);
}

function isIp(ethertype: number): boolean {
  return ethertype === ETHERTYPE_IPV4 || ethertype === ETHERTYPE_IPV6;
}
