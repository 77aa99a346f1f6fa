import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import { piecesOf } from '#bytes/capture.ts';
import { fromHex } from '#bytes/hex.ts';
import { octetsOfTrace, traceHead, traceLine } from '#bytes/trace.ts';
import { keyringFrom } from '#identity/keyring.ts';
import { attributesOf, INTERFACE_CLASSES } from '#protocol/cosem/classes/lookup.ts';
import { namedValue } from '#protocol/cosem/classes/named-value.ts';
import { cosemList } from '#protocol/cosem/lists.ts';
import { readObjectList } from '#protocol/cosem/object-list.ts';
import { ProfileRowReader } from '#protocol/cosem/profile-rows.ts';
import { decodeData, encodeData } from '#protocol/dlms/axdr.ts';
import { BlockTransfer } from '#protocol/dlms/block-transfer.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { encodeGeneralBlock } from '#protocol/dlms/general-block-transfer.ts';
import { LockStep, turnsOf } from '#protocol/lock-step.ts';
import { runProcedure } from './cosem-meter.ts';
import type { Sample } from './fuzzed-links.ts';

const OBIS = fromHex('0100010800ff');
const CLOCK = fromHex('07ea0b15060c000000003c00');

const unsigned = (value: number): Data => ({ type: 'unsigned', value });
const long = (value: number): Data => ({ type: 'long-unsigned', value });
const octets = (value: Uint8Array): Data => ({ type: 'octet-string', value });
const structure = (...value: readonly Data[]): Data => ({ type: 'structure', value });
const array = (...value: readonly Data[]): Data => ({ type: 'array', value });

/** What attributes hold, whatever class they are of: a push object list, scripts, times, tables. */
const CAPTURED = structure(long(3), octets(OBIS), { type: 'integer', value: 2 }, long(0));
const VALUES: readonly Data[] = [
  array(CAPTURED, CAPTURED, CAPTURED),
  structure({ type: 'integer', value: -3 }, { type: 'enum', value: 30 }),
  structure({ type: 'enum', value: 0 }, octets(bytesFromLatin1('10.0.0.1:4059')), {
    type: 'enum',
    value: 0,
  }),
  array(
    structure(unsigned(1), array(structure({ type: 'enum', value: 2 }, long(70), octets(OBIS)))),
  ),
  octets(CLOCK),
  array(structure(octets(CLOCK.subarray(0, 5)), octets(CLOCK.subarray(5)))),
  { type: 'bit-string', value: { bitLength: 3, bytes: Uint8Array.of(0xa0) } },
];

const SHAPES = INTERFACE_CLASSES.flatMap(attributesOf).map(({ shape }) => shape);
const SHAPES_AT_ONCE = 8;

/** Shown by the shapes of some attributes; the bytes say of which, so that it can be repeated. */
function classSamples(): readonly Sample[] {
  return VALUES.map((value) => ({
    bytes: encodeData(value),
    read: (bytes) => {
      const data = decodeData(bytes);
      const first = bytes.reduce((sum, byte) => (sum * 31 + byte) % SHAPES.length, 0);
      return SHAPES.slice(first, first + SHAPES_AT_ONCE).map((shape) =>
        namedValue(shape, data, ({ type }) => type),
      );
    },
  }));
}

const COMPACT = [
  '1302021206' + '0c' + '000100000002' + '000300000004',
  '130100030f' + '06010203040506',
];

function compactSamples(): readonly Sample[] {
  return COMPACT.map((hex) => ({ bytes: fromHex(hex), read: decodeData }));
}

const COLUMNS = [8, 3, 3].map((classId) => ({
  classId,
  instanceId: OBIS,
  attributeId: 2,
  dataIndex: 0,
}));

function rowSamples(): readonly Sample[] {
  const row = (count: number): Data =>
    structure(octets(CLOCK), { type: 'double-long-unsigned', value: count }, long(count));
  const rows = array(...Array.from({ length: 12 }, (_, index) => row(index)));
  const read = (bytes: Uint8Array): unknown => {
    const reader = new ProfileRowReader(COLUMNS, 900);
    return [...reader.push(bytes), ...reader.end()];
  };
  return [{ bytes: encodeData(rows), read }];
}

function listSamples(): readonly Sample[] {
  const rights = structure(
    array(
      structure(
        { type: 'integer', value: 1 },
        { type: 'enum', value: 1 },
        { type: 'null-data', value: null },
      ),
    ),
    array(structure({ type: 'integer', value: 1 }, { type: 'boolean', value: true })),
  );
  const object = structure(long(3), unsigned(0), octets(OBIS), rights);
  const pushed = structure(
    octets(OBIS),
    long(230),
    structure({ type: 'integer', value: -1 }, { type: 'enum', value: 35 }),
  );
  return [
    {
      bytes: encodeData(array(object, object)),
      read: (bytes) => runProcedure(readObjectList('LN'), { get: () => decodeData(bytes) }),
    },
    { bytes: encodeData(pushed), read: (bytes) => cosemList(decodeData(bytes)) },
  ];
}

function blockSamples(): readonly Sample[] {
  const bytes = encodeGeneralBlock({
    lastBlock: false,
    streaming: true,
    window: 3,
    blockNumber: 1,
    blockNumberAck: 1,
    blockData: OBIS,
  });
  const read = (block: Uint8Array): unknown => {
    const transfer = new BlockTransfer(3, CLOCK, 12);
    transfer.begin();
    return [transfer.receive(block), transfer.again(), transfer.receive(block)];
  };
  return [{ bytes, read }];
}

const TRACE = [
  traceHead('2026-11-21T00:00:00.000Z'),
  traceLine({ t: 0, dir: 'tx', bytes: OBIS, masked: true }),
  traceLine({ t: 4, dir: 'rx', bytes: CLOCK, masked: false }),
  traceLine({ t: 5, event: 'down', text: 'connection-lost' }),
].join('\n');

const VECTOR = '{"frames":[{"t":0,"dir":"tx","hex":"7ea0"},{"t":1.5,"dir":"rx","hex":"00 01"}]}';

const KEYRING = [
  'house-3:',
  '  suite: 0',
  "  system-title: '4D4D4D0000BC614E'",
  "  encryption: '000102030405060708090A0B0C0D0E0F'",
  "  password: 'secret'",
].join('\n');

/** Files that a technician gives: traces and vectors to read or replay, and a keyring. */
function fileSamples(): readonly Sample[] {
  const replayed = (bytes: Uint8Array): unknown => {
    const turns = turnsOf(octetsOfTrace(latin1FromBytes(bytes)) ?? []);
    const device = new LockStep(turns, 'server');
    device.start(0);
    return device.receive(bytes.subarray(0, 12), 1);
  };
  return [
    { bytes: bytesFromLatin1(TRACE), read: replayed },
    {
      bytes: bytesFromLatin1(VECTOR),
      read: (bytes) => [...(piecesOf(bytes, (one) => latin1FromBytes(one)) ?? [])],
    },
    { bytes: bytesFromLatin1(KEYRING), read: (bytes) => keyringFrom(latin1FromBytes(bytes)) },
  ];
}

/** What values and files mean, once they are octets no more. */
export function meaningSamples(): readonly Sample[] {
  return [
    ...classSamples(),
    ...compactSamples(),
    ...rowSamples(),
    ...listSamples(),
    ...blockSamples(),
    ...fileSamples(),
  ];
}
