import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Writer } from '#bytes/cursor.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { type FlowPiece, flows, tcpStreams } from '#bytes/flows.ts';
import { fromHex } from '#bytes/hex.ts';
import { type PcapPacket, isPcap, readPcap } from '#bytes/pcap.ts';
import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import { VECTORS, withoutVectors } from '../support/vectors.ts';

interface Order {
  readonly littleEndian: boolean;
  readonly nanoseconds: boolean;
}

function classicPcap(linkType: number, records: readonly Uint8Array[], order: Order): Uint8Array {
  const { littleEndian, nanoseconds } = order;
  const length = records.reduce((sum, record) => sum + 16 + record.length, 24);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, littleEndian);
  view.setUint32(20, linkType, littleEndian);
  let offset = 24;
  for (const record of records) {
    view.setUint32(offset, 1_700_000_000, littleEndian);
    view.setUint32(offset + 4, 123_456, littleEndian);
    view.setUint32(offset + 8, record.length, littleEndian);
    view.setUint32(offset + 12, record.length, littleEndian);
    bytes.set(record, offset + 16);
    offset += 16 + record.length;
  }
  return bytes;
}

function udp(payload: Uint8Array, claimed = payload.length): Uint8Array {
  const length = 8 + claimed;
  return new Writer().u16(4713).u16(4712).u16(length).u16(0).bytes(payload).finish();
}

function ipv4(protocol: number, content: Uint8Array, flags = 0x4000, claimed = content.length) {
  const header = new Writer()
    .u16(0x4500)
    .u16(20 + claimed)
    .u16(1)
    .u16(flags);
  return header.u8(64).u8(protocol).u16(0).u32(0xc0a80001).u32(0x0a000002).bytes(content).finish();
}

function ipv6(content: Uint8Array, extensions = new Uint8Array()): Uint8Array {
  const next = extensions.length === 0 ? 17 : 0;
  const header = new Writer().u32(0x60000000).u16(extensions.length + content.length);
  const addresses = fromHex('20010db8000000000000000000000001 fe800000000000000202b3fffe1e8329');
  return header.u8(next).u8(64).bytes(addresses).bytes(extensions).bytes(content).finish();
}

const HELLO = bytesFromLatin1('hello');
const PACKET = ipv4(17, udp(HELLO));
const LITTLE: Order = { littleEndian: true, nanoseconds: false };
const behind = (head: string, tail: Uint8Array): Uint8Array =>
  new Writer().bytes(fromHex(head)).bytes(tail).finish();
const MACS = '0102030405060708090a0b0c';

const only = (linkType: number, record: Uint8Array): PcapPacket | undefined => {
  const [packet, ...others] = [...readPcap(classicPcap(linkType, [record], LITTLE))];
  assert.equal(others.length, 0);
  return packet;
};

test('a capture reads the same in both byte orders and with micro- or nanoseconds', () => {
  for (const littleEndian of [true, false]) {
    for (const nanoseconds of [true, false]) {
      const file = classicPcap(101, [PACKET], { littleEndian, nanoseconds });
      assert.equal(isPcap(file), true);
      const [packet] = [...readPcap(file)];
      assert.equal(packet?.second, 1_700_000_000);
      assert.equal(packet.nanosecond, nanoseconds ? 123_456 : 123_456_000);
      assert.equal(packet.sourceAddress, '192.168.0.1');
      assert.equal(packet.sourcePort, 4713);
      assert.equal(packet.destinationAddress, '10.0.0.2');
      assert.equal(packet.destinationPort, 4712);
      assert.deepEqual(packet.payload, HELLO);
      assert.equal(packet.missing, 0);
    }
  }
});

test('every link type leads to the same datagram', () => {
  const frames: readonly [string, number, Uint8Array][] = [
    ['BSD loopback', 0, behind('02000000', PACKET)],
    ['OpenBSD loopback', 108, behind('00000002', PACKET)],
    ['Ethernet', 1, behind(`${MACS}0800`, PACKET)],
    ['Ethernet with padding', 1, behind(`${MACS}0800`, padded(PACKET))],
    ['one VLAN tag', 1, behind(`${MACS}810000050800`, PACKET)],
    ['two VLAN tags', 1, behind(`${MACS}88a80007810000050800`, PACKET)],
    ['raw IP', 101, PACKET],
    ['raw IP by another number', 12, PACKET],
    ['raw IPv4', 228, PACKET],
    ['Linux any', 113, behind(`00000001000600010203040506000800`, PACKET)],
    ['Linux any, second version', 276, behind(`0800000000000001000100060102030405060000`, PACKET)],
    ['IPv6 on Ethernet', 1, behind(`${MACS}86dd`, ipv6(udp(HELLO)))],
    ['IPv6 with hop-by-hop options', 229, ipv6(udp(HELLO), fromHex('1100010400000000'))],
  ];
  for (const [name, linkType, frame] of frames) {
    const packet = only(linkType, frame);
    assert.deepEqual(packet?.payload, HELLO, name);
    assert.equal(packet.destinationPort, 4712, name);
    assert.equal(packet.missing, 0, name);
  }
});

function padded(packet: Uint8Array): Uint8Array {
  return new Writer().bytes(packet).bytes(new Uint8Array(13)).finish();
}

test('IPv6 addresses are written the canonical way', () => {
  const packet = only(101, ipv6(udp(HELLO)));
  assert.equal(packet?.sourceAddress, '2001:db8::1');
  assert.equal(packet.destinationAddress, 'fe80::202:b3ff:fe1e:8329');
  const [piece] = [...flows([packet])];
  assert.equal(piece?.flow.key, 'udp [2001:db8::1]:4713 > [fe80::202:b3ff:fe1e:8329]:4712');
});

test('what is neither TCP nor UDP is left out, and keeps its number', () => {
  const arp = behind(`${MACS}0806`, new Uint8Array(28));
  const icmp = behind(`${MACS}0800`, ipv4(1, new Uint8Array(8)));
  const laterFragment = behind(`${MACS}0800`, ipv4(17, udp(HELLO), 0x0003));
  const good = behind(`${MACS}0800`, PACKET);
  const file = classicPcap(1, [arp, icmp, laterFragment, good], LITTLE);
  assert.deepEqual(
    [...readPcap(file)].map(({ number }) => number),
    [4],
  );
});

test('a payload cut by a snapshot length says how much is missing', () => {
  const cut = only(101, ipv4(17, udp(HELLO, 25), 0x4000, 8 + 25));
  assert.equal(cut?.missing, 20);
  assert.deepEqual(cut.payload, HELLO);
  const firstFragment = only(101, ipv4(17, udp(HELLO, 25), 0x2000));
  assert.equal(firstFragment?.missing, 20);
});

test('a damaged or foreign file is refused with code and offset after what was good', () => {
  const file = classicPcap(101, [PACKET, PACKET], LITTLE);
  for (let length = 0; length < file.length; length += 1) {
    const whole = 24 + 16 + PACKET.length;
    let seen = 0;
    try {
      for (const packet of readPcap(file.subarray(0, length))) seen = packet.number;
      assert.ok(length === 24 || length === whole, `cut at ${length} goes unnoticed`);
    } catch (error) {
      assert.equal(failureOf(error).code, 'truncated');
    }
    assert.equal(seen, length >= whole ? 1 : 0);
  }
  assert.throws(() => [...readPcap(HELLO)], { code: 'not-a-capture', offset: 0 });
  assert.throws(() => [...readPcap(classicPcap(147, [], LITTLE))], {
    code: 'unsupported-link-type',
  });
});

test('random and mutated captures never throw anything but an operating error', () => {
  const seeds = [classicPcap(1, [behind(`${MACS}0800`, PACKET)], LITTLE), nextGeneration()];
  const mutation = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), mutation, (seed, changes) => {
      const bytes = seed.slice();
      for (const [place, value] of changes) bytes[place % bytes.length] = value;
      try {
        for (const packet of readPcap(bytes)) assert.ok(packet.payload.length <= bytes.length);
      } catch (error) {
        assert.ok(error instanceof OperatingError);
      }
    }),
  );
});

/** A little-endian pcapng: section, interface in units of 10^-9 s, one packet, a foreign block. */
function nextGeneration(): Uint8Array {
  const block = (type: string, body: string): string => {
    const length = (12 + body.length / 2).toString(16).padStart(2, '0');
    return `${type}${length}000000${body}${length}000000`;
  };
  const packet = Buffer.from(PACKET).toString('hex').padEnd(72, '0');
  return fromHex(
    block('0a0d0d0a', '4d3c2b1a01000000ffffffffffffffff') +
      block('01000000', '6500000000000400' + '09000100' + '09000000' + '00000000') +
      block('0b000000', 'deadbeef') +
      block('06000000', `0000000000e39b1715cd5b072100000021000000${packet}`),
  );
}

test('a pcapng file gives its packets with the resolution of their interface', () => {
  const [packet, ...others] = [...readPcap(nextGeneration())];
  assert.equal(others.length, 0);
  const ticks = (0x179be300n << 32n) + 123_456_789n;
  assert.equal(packet?.second, Number(ticks / 1_000_000_000n));
  assert.equal(packet.nanosecond, Number(ticks % 1_000_000_000n));
  assert.deepEqual(packet.payload, HELLO);
});

function segment(sequence: number, text: string, marks: Partial<PcapPacket['tcp']> = {}) {
  const packet: PcapPacket = {
    number: 1,
    second: sequence >>> 0,
    nanosecond: 0,
    transport: 'tcp',
    sourceAddress: '10.0.0.1',
    sourcePort: 4712,
    destinationAddress: '10.0.0.2',
    destinationPort: 50000,
    payload: bytesFromLatin1(text),
    missing: 0,
    tcp: { sequence: sequence >>> 0, syn: false, fin: false, rst: false, ...marks },
  };
  return packet;
}

const textOf = (pieces: Iterable<FlowPiece>): string =>
  [...pieces]
    .map(({ gap, bytes }) => (gap > 0 ? `<${gap}>` : '') + latin1FromBytes(bytes))
    .join('');

test('a TCP stream is read in sequence, also across the wrap of its numbers', () => {
  for (const base of [1000, -5]) {
    const pieces = tcpStreams([
      segment(base - 1, '', { syn: true }),
      segment(base, 'abc'),
      segment(base - 1, '', { syn: true }), // the opening repeated
      segment(base, 'abc'), // all of it repeated
      segment(base + 6, 'gh'), // early
      segment(base + 8, 'i'),
      segment(base + 2, 'cdef'), // closes the hole, and overlaps
      segment(base + 9, '', { fin: true }),
    ]);
    assert.equal(textOf(pieces), 'abcdefghi');
  }
});

test('held bytes become readable at the time of the segment that closed the hole', () => {
  const pieces = [...flows([segment(10, 'a'), segment(12, 'c'), segment(11, 'b')])];
  assert.deepEqual(
    pieces.map(({ second }) => second),
    [10, 11, 11],
  );
});

test('lost segments are reported as a gap once the limit is reached, and at the end', () => {
  const packets = [segment(0, 'ab'), segment(5, 'f'), segment(6, 'g'), segment(9, 'j')];
  assert.equal(textOf(flows(packets)), 'ab<3>fg<2>j');
  const limits = { heldSegments: 1, flows: 4 };
  const times = [...flows(packets, limits)].map(({ second }) => second);
  assert.deepEqual(times, [0, 6, 6, 9]);
});

test('bytes that the capture cut off are a gap', () => {
  const cut: PcapPacket = { ...segment(0, 'ab'), missing: 2 };
  assert.equal(textOf(flows([cut, segment(4, 'ef')])), 'ab<2>ef');
});

test('a new connection on the same ports begins anew', () => {
  const opening = segment(9_000_000, '', { syn: true });
  const packets = [segment(100, 'old'), opening, segment(9_000_001, 'new')];
  assert.equal(textOf(flows(packets)), 'oldnew');
});

test('the number of flows followed at once is bounded', () => {
  const from = (sourcePort: number, sequence: number, text: string): PcapPacket => ({
    ...segment(sequence, text),
    sourcePort,
  });
  const packets = [from(1, 0, 'a'), from(1, 5, 'z'), from(2, 0, 'b'), from(3, 0, 'c')];
  const pieces = flows(packets, { heldSegments: 8, flows: 2 });
  assert.equal(textOf(pieces), 'ab<4>zc', 'what the forgotten flow held is given out');
});

test('streams survive any order of delivery within the limit', () => {
  const text = Array.from('The quick brown fox jumps over the lazy dog');
  fc.assert(
    fc.property(fc.shuffledSubarray(text.map((_, index) => index + 1)), (order) => {
      const kept = new Set(order);
      const letters = text.filter((_, index) => kept.has(index + 1)).join('');
      const packets = order.map((index) => segment(index, text[index - 1] ?? ''));
      const pieces = [...flows([segment(0, '', { syn: true }), ...packets])];
      assert.equal(pieces.map(({ bytes }) => latin1FromBytes(bytes)).join(''), letters);
      const gaps = pieces.reduce((sum, { gap }) => sum + gap, 0);
      const last = Math.max(0, ...order);
      assert.equal(gaps, last - letters.length);
    }),
  );
});

test('a real capture gives the two streams of its PMUs', { skip: withoutVectors }, () => {
  const file = readFileSync(join(VECTORS, 'c37118/captures/C37.118_2PMUsInSync_TCP.pcap'));
  const packets = [...readPcap(file)];
  const bytesByFlow = new Map<string, number>();
  for (const { flow, bytes, gap } of tcpStreams(packets)) {
    assert.equal(gap, 0);
    bytesByFlow.set(flow.key, (bytesByFlow.get(flow.key) ?? 0) + bytes.length);
  }
  assert.deepEqual(
    [...bytesByFlow.keys()].sort(),
    [
      'tcp 192.168.0.20:35712 > 192.168.0.60:4712',
      'tcp 192.168.0.20:48764 > 192.168.0.241:4712',
      'tcp 192.168.0.241:4712 > 192.168.0.20:48764',
      'tcp 192.168.0.60:4712 > 192.168.0.20:35712',
    ].sort(),
  );
});
