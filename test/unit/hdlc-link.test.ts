import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import type { Step } from '#protocol/connection.ts';
import type { ApduLinkMessage } from '#protocol/dlms/apdu-link.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import type { HdlcControl } from '#protocol/hdlc/control.ts';
import { decodeHdlcFrame, encodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged, hdlcFramer, stuffed } from '#protocol/hdlc/framer.ts';
import {
  HDLC_DEFAULTS,
  decodeHdlcParameters,
  encodeHdlcParameters,
} from '#protocol/hdlc/parameters.ts';
import { decodeRejection } from '#protocol/hdlc/rejection.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import {
  CLIENT,
  HandPlayed,
  NONE,
  RESPONSE_MS,
  SERVER,
  answer,
  final,
  i,
} from '../support/hand-played-meter.ts';
import { seeded } from '../support/seeded.ts';

test('parameters are read in any length of value, and default where UA has none', () => {
  assert.deepEqual(decodeHdlcParameters(NONE), HDLC_DEFAULTS);
  const read = (hex: string) => decodeHdlcParameters(fromHex(hex));
  const usual = read('818012050180060180070400000001080400000001');
  assert.deepEqual(usual, HDLC_DEFAULTS);
  const short = read('81800d05020400' + '060100' + '070103' + '080107');
  assert.deepEqual(short, {
    informationTransmit: 1024,
    informationReceive: 128,
    windowTransmit: 3,
    windowReceive: 7,
  });
  assert.equal(read('818006' + '0504ffffffff').informationTransmit, 2030);
  assert.equal(read('818005' + 'f0010107' + '00').windowTransmit, 1);
  assert.throws(() => read('8080'), { code: 'bad-parameters' });
  assert.throws(() => read('818012050180'), { code: 'truncated' });
  for (const informationTransmit of [32, 255, 256, 2030]) {
    const parameters = { ...HDLC_DEFAULTS, informationTransmit, windowReceive: 7 };
    assert.deepEqual(decodeHdlcParameters(encodeHdlcParameters(parameters)), parameters);
  }
});

test('what is in force is the smaller of what both sides said, each way', () => {
  const proposal = { informationTransmit: 500, informationReceive: 600, windowReceive: 7 };
  const bench = new HandPlayed({ proposal });
  const theirs = {
    informationTransmit: 550,
    informationReceive: 200,
    windowTransmit: 3,
    windowReceive: 4,
  };
  bench.meter({ kind: 'UA', poll: true }, encodeHdlcParameters(theirs));
  assert.deepEqual(bench.link.negotiated, {
    informationTransmit: 200,
    informationReceive: 550,
    windowTransmit: 1,
    windowReceive: 3,
  });
});

test('a UA whose parameters make no sense opens the link with the defaults, and says so', () => {
  const bench = new HandPlayed();
  bench.meter({ kind: 'UA', poll: true }, fromHex('00112233'));
  assert.deepEqual(bench.told, ['bad-parameters', 'opened']);
  assert.deepEqual(bench.link.negotiated, HDLC_DEFAULTS);
});

test('a frame that was lost is repeated with the poll bit, then it counts as silent', () => {
  const bench = HandPlayed.asking();
  bench.wait();
  bench.wait();
  assert.deepEqual(bench.said(), [i(0, 0), i(0, 0)]);
  assert.equal(bench.now, 2 * RESPONSE_MS);
  bench.wait();
  assert.deepEqual(bench.told, ['no-answer']);
  assert.equal(bench.link.deadline, Infinity);
  bench.take(bench.link.start(bench.now));
  bench.meter({ kind: 'UA', poll: true });
  assert.equal(bench.told.at(-1), 'opened');
});

test('an answer damaged on its way is asked for again after a short silence', () => {
  const bench = HandPlayed.asking();
  const good = flagged(
    encodeHdlcFrame({
      segmented: false,
      destination: CLIENT,
      source: SERVER,
      control: i(0, 1),
      information: answer('c401'),
    }),
  );
  const bad = good.slice();
  bad[bad.length - 3] = (bad.at(-3) ?? 0) ^ 1;
  bench.now = 10;
  bench.hear(bad);
  bench.wait();
  assert.ok(bench.now < RESPONSE_MS / 2, 'the response time-out is not waited for');
  assert.deepEqual(bench.said(), [i(0, 0)]);
  bench.hear(good);
  assert.deepEqual(bench.apdus, ['c401']);
});

test('a frame that begins and does not end costs the inter-octet time-out', () => {
  const bench = HandPlayed.asking();
  bench.now = 20;
  bench.hear(fromHex('7ea02021'));
  assert.equal(bench.link.deadline, 120);
  bench.wait();
  assert.ok(bench.told.includes('truncated'));
});

test('a busy meter is polled until it is ready, and what it has not taken is sent again', () => {
  const bench = HandPlayed.asking();
  bench.meter(final('RNR', 0));
  assert.deepEqual(bench.said(), []);
  bench.wait();
  assert.deepEqual(bench.said(), [final('RR', 0)]);
  bench.meter(final('RNR', 0));
  bench.wait();
  bench.meter(final('RR', 0));
  assert.deepEqual(bench.said(), [final('RR', 0), i(0, 0)]);
  bench.meter(i(0, 1), answer('c401'));
  assert.deepEqual(bench.apdus, ['c401']);
});

test('a meter that is busy for ever is given up', () => {
  const bench = HandPlayed.asking({ busyMs: 500 });
  for (let turn = 0; turn < 100 && bench.told.length === 0; turn += 1) {
    bench.meter(final('RNR', 0));
    if (bench.link.negotiated !== undefined) bench.wait();
  }
  assert.deepEqual(bench.told, ['peer-busy']);
  assert.equal(bench.sent.at(-1)?.kind, 'DISC');
});

test('a meter that is still working on its answer is polled for it', () => {
  const bench = HandPlayed.asking();
  bench.meter(final('RR', 1));
  assert.deepEqual(bench.said(), [final('RR', 0)]);
  bench.meter(final('RR', 1));
  assert.deepEqual(bench.said(), []);
  bench.wait();
  assert.deepEqual(bench.said(), [final('RR', 0)]);
  bench.meter(i(0, 1), answer('c401'));
  assert.deepEqual(bench.apdus, ['c401']);
  assert.equal(bench.link.deadline, Infinity);
});

test('REJ has the window sent again from its N(R) on', () => {
  const proposal = { windowTransmit: 3, informationTransmit: 128 };
  const window = { ...HDLC_DEFAULTS, windowReceive: 3 };
  const bench = new HandPlayed({ proposal });
  bench.meter({ kind: 'UA', poll: true }, encodeHdlcParameters(window));
  bench.ask('c0'.repeat(128 * 3 - 3));
  bench.said();
  bench.meter(final('REJ', 1));
  assert.deepEqual(bench.said(), [i(1, 0, false), i(2, 0)]);
});

test('DM to an I frame, DM to SNRM and FRMR say what they are', () => {
  const reset = HandPlayed.asking();
  reset.meter({ kind: 'DM', poll: true });
  assert.deepEqual(reset.told, ['link-reset']);
  const refused = new HandPlayed();
  refused.meter({ kind: 'DM', poll: true });
  assert.deepEqual(refused.told, ['link-refused']);
  for (const information of ['', '100004']) {
    const rejected = HandPlayed.asking();
    rejected.meter({ kind: 'FRMR', poll: true }, fromHex(information));
    assert.deepEqual(rejected.told, ['link-rejected']);
  }
  assert.deepEqual(decodeRejection(fromHex('100004'))?.reasons, ['information-too-long']);
});

test('leave is taken with DISC, which UA, UA with parameters, DM and silence all answer', () => {
  const parameters = encodeHdlcParameters(HDLC_DEFAULTS);
  for (const [kind, information] of [
    ['UA', NONE],
    ['UA', parameters],
    ['DM', NONE],
  ] as const) {
    const bench = HandPlayed.asking();
    bench.meter(i(0, 1), answer('c401'));
    bench.take(bench.link.close(bench.now));
    assert.equal(bench.said().at(-1)?.kind, 'DISC');
    bench.meter({ kind, poll: true }, information);
    assert.deepEqual(bench.told, ['apdu', 'closed']);
  }
  const silent = new HandPlayed();
  silent.meter({ kind: 'UA', poll: true });
  silent.take(silent.link.close(0));
  for (let turn = 0; turn < 3; turn += 1) silent.wait();
  assert.equal(silent.told.at(-1), 'closed');
});

test('frames of other stations are told and change nothing', () => {
  const bench = HandPlayed.asking();
  const other = { upper: 2, lower: 17, length: 2 } as const;
  const frame = {
    segmented: false,
    destination: CLIENT,
    source: other,
    control: i(0, 1),
    information: answer('c401'),
  };
  bench.hear(flagged(encodeHdlcFrame(frame)));
  assert.deepEqual(bench.told, ['wrong-address']);
  bench.meter(i(0, 1), answer('c402'));
  assert.deepEqual(bench.apdus, ['c402']);
});

test('an LLC header sent twice, or none, is no part of the APDU', () => {
  for (const llc of ['', 'e6e700', 'e6e700e6e700']) {
    const bench = HandPlayed.asking();
    bench.meter(i(0, 1), fromHex(`${llc}610203`));
    assert.deepEqual(bench.apdus, ['610203']);
  }
});

test('a segment that begins like an LLC header is data all the same', () => {
  const bench = HandPlayed.asking();
  bench.meter(i(0, 1), answer('c401'), true);
  bench.meter(i(1, 1), fromHex('e6e70099'));
  assert.deepEqual(bench.apdus, ['c401e6e70099']);
});

test('an APDU in UI frames comes unasked, in segments and in between', () => {
  const bench = HandPlayed.asking();
  const unasked: HdlcControl = { kind: 'UI', poll: false };
  bench.meter(unasked, answer('0f01'), true);
  bench.meter(unasked, fromHex('0203'));
  bench.meter(i(0, 1), answer('c401'));
  assert.deepEqual(bench.apdus, ['0f010203', 'c401']);
});

test('nothing is sent before the final bit', () => {
  const bench = HandPlayed.asking({ proposal: { windowReceive: 3 } });
  bench.meter(i(0, 1, false), answer('c401'), true);
  assert.deepEqual(bench.said(), []);
  bench.meter(i(1, 1), fromHex('02'));
  assert.deepEqual(bench.apdus, ['c40102']);
});

test('a repeated answer is taken once, and N(R) of what was never sent is refused', () => {
  const bench = HandPlayed.asking();
  bench.meter(i(0, 1), answer('c401'));
  bench.meter(i(0, 1), answer('c401'));
  assert.deepEqual(bench.apdus, ['c401']);
  bench.ask('c002');
  bench.meter(i(1, 5), answer('c402'));
  assert.deepEqual(bench.told, ['apdu', 'out-of-sequence', 'out-of-sequence']);
});

test('segments without end are refused with their code, and the meter is let go', () => {
  const information = new Uint8Array(2000).fill(0x55);
  const bench = HandPlayed.asking();
  for (let send = 0; send < 100 && bench.told.length === 0; send += 1) {
    bench.meter(i(send % 8, 1), information, true);
  }
  assert.deepEqual(bench.told, ['too-long']);
  assert.equal(bench.sent.at(-1)?.kind, 'DISC');
});

test('after a poll a stream goes on without a request', () => {
  const bench = HandPlayed.asking();
  bench.meter(i(0, 1), answer('e001'));
  assert.deepEqual(bench.said(), []);
  bench.take(bench.link.poll(bench.now));
  assert.deepEqual(bench.said(), [final('RR', 1)]);
  bench.meter(i(1, 1), answer('e002'));
  assert.deepEqual(bench.apdus, ['e001', 'e002']);
});

test('a server answers as the standard has it, whatever a client does', () => {
  const link = new HdlcServerLink({ server: SERVER });
  const say = (control: HdlcControl, information = NONE): string[] => {
    const frame = { segmented: false, destination: SERVER, source: CLIENT, control, information };
    const { send } = link.receive(flagged(encodeHdlcFrame(frame)), 0);
    return send.map((bytes) => decodeHdlcFrame(bytes.subarray(1, -1)).control.kind);
  };
  link.start(0);
  assert.deepEqual(say(final('RR', 0)), ['DM']);
  assert.deepEqual(say({ kind: 'DISC', poll: true }), ['DM']);
  assert.deepEqual(say({ kind: 'SNRM', poll: true }), ['UA']);
  assert.deepEqual(say(i(0, 0), answer('c001')), []);
  assert.deepEqual(link.expire(link.deadline).send.length, 1);
  link.busy = true;
  assert.deepEqual(say(i(1, 0), answer('c001')), ['RNR']);
  link.busy = false;
  assert.deepEqual(say(i(1, 0), new Uint8Array(129)), ['FRMR']);
  assert.deepEqual(say(final('RR', 0)), ['FRMR']);
  assert.deepEqual(say({ kind: 'SNRM', poll: true }), ['UA']);
  assert.deepEqual(say(final('RR', 3)), ['FRMR']);
  assert.deepEqual(say({ kind: 'DISC', poll: true }), ['UA']);
  assert.equal(link.deadline, Infinity);
});

test('a stuffed frame that fits its FCS read short is read as what it is', () => {
  const frame = {
    segmented: false,
    destination: CLIENT,
    source: { upper: 1, length: 1 },
    control: { kind: 'UI', poll: false },
    information: fromHex('7e7d100aeaf0'), // one of 65 536
  } as const;
  const plain = encodeHdlcFrame(frame);
  const bytes = flagged(stuffed(plain));
  assert.equal(decodeHdlcFrame(bytes.subarray(1, 1 + plain.length)).control.kind, 'UI');
  for (let chunk = 1; chunk <= bytes.length; chunk += 1) {
    const framer = hdlcFramer();
    const events = [];
    for (let start = 0; start < bytes.length; start += chunk) {
      events.push(...framer.push(bytes.subarray(start, start + chunk)));
    }
    const [event] = events;
    assert.ok(event?.kind === 'frame' && events.length === 1);
    assert.deepEqual(event.frame, frame);
  }
});

test('HDLC over TCP is the same link over a socket', async (t) => {
  const server = createServer((socket) => {
    const link = new HdlcServerLink({ server: SERVER });
    link.start(0);
    socket.on('data', (bytes) => {
      const { send, events } = link.receive(bytes, 0);
      for (const frame of send) socket.write(frame);
      const asked = events.some((one) => one.kind === 'message' && one.message.kind === 'apdu');
      if (!asked) return;
      for (const frame of link.send(fromHex('c401c100')).send) socket.write(frame);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const socket = connect(address.port, address.address);
  const client = new HdlcClientLink({ client: CLIENT, server: SERVER });
  const told: string[] = [];
  const take = ({ send, events }: Step<ApduLinkMessage>): void => {
    for (const frame of send) socket.write(frame);
    for (const event of events) {
      if (event.kind !== 'message') continue;
      told.push(event.message.kind);
      if (event.message.kind === 'opened') take(client.send(fromHex('c001c1'), 0));
      else if (event.message.kind === 'apdu') take(client.close(0));
      else socket.end();
    }
  };
  socket.on('data', (bytes) => take(client.receive(bytes, 0)));
  await once(socket, 'connect');
  take(client.start(0));
  await once(socket, 'close');
  assert.deepEqual(told, ['opened', 'apdu', 'closed']);
});

test('mutated answers give typed events, never a throw, and hold a bounded store', () => {
  const entropy = seeded(23);
  const pick = (most: number): number => Math.floor(entropy.fraction() * most);
  const corpus = [0x63, 0x73, 0x1f, 0x97, 0x10, 0x30, 0x52, 0x11, 0x15, 0x19, 0x03, 0x13];
  for (let round = 0; round < 300; round += 1) {
    const bench = HandPlayed.asking({ proposal: { windowReceive: 7 } });
    for (let count = 0; count < 30; count += 1) {
      const control: HdlcControl = {
        kind: 'unknown',
        byte: corpus[pick(corpus.length)] ?? pick(256),
      };
      const information = entropy.bytes(pick(60));
      const frame = { segmented: pick(2) === 0, destination: CLIENT, source: SERVER, control };
      const bytes = flagged(encodeHdlcFrame({ ...frame, information }));
      if (pick(3) === 0) bytes[pick(bytes.length)] = pick(256);
      bench.hear(bytes.subarray(0, pick(4) === 0 ? pick(bytes.length) : bytes.length));
      if (pick(5) === 0 && bench.link.deadline !== Infinity) bench.wait();
      if (bench.link.negotiated !== undefined && pick(6) === 0) bench.ask('c001');
      if (bench.link.deadline === Infinity && bench.link.negotiated === undefined) break;
    }
    assert.ok(bench.told.every((code) => /^[a-z-]+$/.test(code)));
    assert.ok(bench.sent.length < 1000);
  }
});
