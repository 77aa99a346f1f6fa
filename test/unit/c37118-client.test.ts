import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { C37118Client, type C37118ClientOptions } from '#protocol/c37118/client.ts';
import { COMMANDS, decodeCommand, simpleCommand } from '#protocol/c37118/command.ts';
import { encodeConfiguration } from '#protocol/c37118/configuration-codec.ts';
import type { Configuration } from '#protocol/c37118/configuration.ts';
import { type DataFrame, dataLayoutOf, newDataFrame, writeData } from '#protocol/c37118/data.ts';
import { checkFrame } from '#protocol/c37118/frame.ts';
import type { C37118Message } from '#protocol/c37118/message.ts';
import { C37118Server } from '#protocol/c37118/server.ts';
import { statOf } from '#protocol/c37118/words.ts';
import { instantOf, observationsFromC37118 } from '#reading/from-c37118.ts';
import type { Step } from '#protocol/connection.ts';
import { startPmuSimulator } from '#sim/pmu.ts';

const ID = 7;
const OPTIONS: C37118ClientOptions = { idCode: ID, replyTimeoutMs: 1000, dataTimeoutMs: 2000 };
const TIME = { second: 1_700_000_000, fraction: 0, timeQuality: 0 };

function configuration(phasors = 1, dataRate = 50): Configuration {
  return {
    head: { kind: 'configuration-2', version: 1, idCode: ID, ...TIME },
    timeBase: 1_000_000,
    pmus: [
      {
        stationName: 'North',
        idCode: 70,
        format: { polar: true, floatPhasors: false, floatAnalogs: false, floatFrequency: false },
        phasors: Array.from({ length: phasors }, (_, index) => ({
          name: `V${index}`,
          quantity: 'voltage',
          scale: { kind: 'phunit', factor: 123_456 },
        })),
        analogs: [],
        digitals: [],
        nominalFrequency: 50,
        changeCount: 1,
      },
    ],
    dataRate,
  };
}

const CFG = encodeConfiguration(configuration());

function data(change: Partial<DataFrame> = {}, stat = 0, phasors = 1): Uint8Array {
  const layout = dataLayoutOf(configuration(phasors));
  const frame = { ...newDataFrame(layout), ...TIME, ...change };
  frame.stat[0] = stat;
  frame.phasors.set([30_000, -15_708]);
  return writeData(layout, frame);
}

/** What a step sent, by the commands' numbers, and its events in a word each. */
function shown({ send, events }: Step<C37118Message>): readonly (string | number)[] {
  return [
    ...send.map((bytes) => decodeCommand(checkFrame(bytes)).command),
    ...events.map((event) =>
      event.kind === 'message' ? event.message.kind : `${event.kind}:${event.failure.code}`,
    ),
  ];
}

const CFG2 = COMMANDS['send-configuration-2'];
const ON = COMMANDS['turn-on'];
const OFF = COMMANDS['turn-off'];

function streaming(): C37118Client {
  const client = new C37118Client(OPTIONS);
  client.start(0);
  client.receive(CFG, 100);
  client.receive(data(), 200);
  return client;
}

test('a client asks for CFG-2, then turns DATA on, one command at a time', () => {
  const client = new C37118Client(OPTIONS);
  assert.equal(client.deadline, Infinity);
  assert.deepEqual(shown(client.start(0)), [CFG2]);
  assert.equal(client.deadline, 1000);
  assert.deepEqual(shown(client.receive(CFG.slice(0, 30), 50)), []);
  assert.deepEqual(shown(client.receive(CFG.slice(30), 100)), [ON, 'configuration']);
  assert.deepEqual(shown(client.receive(data(), 200)), ['data']);
  assert.equal(client.deadline, 2200);
  assert.deepEqual(shown(client.stop()), [OFF]);
  assert.equal(client.deadline, Infinity);
});

test('an unanswered request is repeated, then the connection stalls with a hint', () => {
  const client = new C37118Client(OPTIONS);
  client.start(0);
  assert.deepEqual(shown(client.expire(999)), [], 'not yet');
  assert.deepEqual(shown(client.expire(1000)), [CFG2]);
  assert.deepEqual(shown(client.expire(2000)), [CFG2]);
  const last = client.expire(3000);
  assert.deepEqual(shown(last), ['stalled:no-configuration']);
  const [event] = last.events;
  assert.ok(event?.kind === 'stalled' && event.failure.hint !== undefined);
  assert.deepEqual(shown(client.start(5000)), [CFG2], 'a new link begins anew');
});

test('turn on is repeated while no DATA comes; silence in the stream stalls it', () => {
  const client = new C37118Client(OPTIONS);
  client.start(0);
  client.receive(CFG, 0);
  assert.deepEqual(shown(client.expire(2000)), [ON]);
  assert.deepEqual(shown(client.expire(4000)), [ON]);
  assert.deepEqual(shown(client.expire(6000)), ['stalled:silent']);
  assert.deepEqual(shown(streaming().expire(2200)), ['stalled:silent']);
});

test('a stream of one frame in ten seconds is not taken for silent', () => {
  const client = new C37118Client(OPTIONS);
  client.start(0);
  client.receive(encodeConfiguration(configuration(1, -10)), 0);
  assert.equal(client.deadline, 30_000);
});

test('a change of configuration is asked for when announced and when done', () => {
  const client = streaming();
  const announced = statOf({ configurationChange: 1 });
  assert.deepEqual(shown(client.receive(data({}, announced), 300)), [CFG2, 'data']);
  assert.deepEqual(shown(client.receive(data({}, announced), 320)), ['data'], 'asked once');
  assert.deepEqual(shown(client.receive(CFG, 340)), ['configuration']);
  assert.deepEqual(shown(client.receive(data(), 360)), [CFG2, 'data']);
  assert.deepEqual(shown(client.expire(1360)), [CFG2], 'unanswered, so asked again');
});

test('DATA that does not fit is discarded and makes the client ask for CFG-2', () => {
  const client = streaming();
  const larger = data({}, 0, 2);
  assert.deepEqual(shown(client.receive(larger, 300)), [CFG2, 'discarded:data-does-not-fit']);
  const update = encodeConfiguration(configuration(2));
  assert.deepEqual(shown(client.receive(update, 400)), ['configuration']);
  assert.deepEqual(shown(client.receive(larger, 420)), ['data']);
});

test('a configuration that comes unasked is taken, and a passive client sends nothing', () => {
  const client = new C37118Client({ ...OPTIONS, passive: true });
  assert.deepEqual(shown(client.start(0)), []);
  assert.deepEqual(shown(client.receive(data(), 10)), ['discarded:no-configuration']);
  assert.deepEqual(shown(client.receive(CFG, 20)), ['configuration']);
  assert.deepEqual(shown(client.receive(data({}, 0, 2), 30)), ['discarded:data-does-not-fit']);
  assert.deepEqual(shown(client.receive(data(), 40)), ['data']);
  assert.deepEqual(shown(client.stop()), []);
});

test('frames of another IDCODE are refused with both numbers named', () => {
  const client = new C37118Client({ ...OPTIONS, idCode: 8 });
  client.start(0);
  const { events } = client.receive(CFG, 10);
  assert.deepEqual(shown({ send: [], events }), ['discarded:wrong-idcode']);
  const [event] = events;
  assert.ok(event?.kind === 'discarded' && event.length === CFG.length);
});

test('a false head that claims 64 KiB holds up a stream no longer than its silence', () => {
  const client = streaming();
  const falseHead = Uint8Array.of(0xaa, 0x01, 0xff, 0xff);
  assert.deepEqual(shown(client.receive(falseHead, 300)), []);
  for (let at = 320; at < 2200; at += 400) assert.deepEqual(shown(client.receive(data(), at)), []);
  const found = shown(client.expire(2200));
  assert.deepEqual(found, ['discarded:truncated', 'data', 'data', 'data', 'data', 'data']);
  assert.equal(client.deadline, 4200);
});

test('a server answers several commands of one segment in their order', () => {
  const server = new C37118Server(configuration(), 'made for tests');
  const commands = [
    'send-header',
    'send-configuration-1',
    'send-configuration-2',
    'turn-on',
  ] as const;
  const bytes = Buffer.concat(commands.map((name) => simpleCommand(ID, name)));
  const { send, streaming: on } = server.receive(bytes);
  assert.deepEqual(
    send.map((reply) => checkFrame(reply).kind),
    ['header', 'configuration-1', 'configuration-2'],
  );
  assert.equal(on, true);
  assert.equal(server.receive(simpleCommand(ID, 'turn-off')).streaming, false);
  const foreign = server.receive(simpleCommand(9, 'turn-on'));
  assert.equal(foreign.streaming, false);
  assert.ok(foreign.events[0]?.kind === 'discarded');
});

test('a polar integer phasor keeps its digits', () => {
  const client = streaming();
  const [event] = client.receive(data(), 300).events;
  assert.ok(event?.kind === 'message' && event.message.kind === 'data');
  const [observation] = observationsFromC37118('pmu', event.message.data, event.message.layout);
  assert.deepEqual(observation?.readings.slice(0, 2), [
    { object: '70/phasor/0/magnitude', raw: 30_000 * 123_456, scaler: -5, unit: 'V' },
    { object: '70/phasor/0/angle', raw: -15_708, scaler: -4, unit: 'rad' },
  ]);
});

test('time is exact to the nanosecond for every base', () => {
  assert.deepEqual(instantOf(5, 16_777_214, 16_777_215), { second: 5, nanosecond: 999_999_940 });
  assert.deepEqual(instantOf(5, 1_677_722, 16_777_215), { second: 5, nanosecond: 100_000_030 });
  assert.deepEqual(instantOf(5, 1, 3), { second: 5, nanosecond: 333_333_333 });
  assert.deepEqual(instantOf(5, 2, 3), { second: 5, nanosecond: 666_666_667 });
  assert.deepEqual(instantOf(5, 3, 2), { second: 6, nanosecond: 500_000_000 });
});

test('STAT and the time quality become marks and trust', () => {
  const layout = dataLayoutOf(configuration());
  const marksOf = (stat: number, timeQuality: number, second = 1_700_000_000) => {
    const frame = { ...newDataFrame(layout), second, timeQuality };
    frame.stat[0] = stat;
    const [observation] = observationsFromC37118('pmu', frame, layout);
    return [observation?.time.trust, ...(observation?.quality ?? [])];
  };
  assert.deepEqual(marksOf(0, 0), ['trusted']);
  assert.deepEqual(marksOf(0x2000, 0), ['untrusted', 'clock-unsynchronised']);
  assert.deepEqual(marksOf(0, 0x0f), ['untrusted', 'clock-invalid']);
  assert.deepEqual(marksOf(0, 0x0d), ['unknown'], 'a code without a meaning');
  assert.deepEqual(marksOf(0x0200, 7), ['trusted', 'modified']);
  assert.deepEqual(marksOf(0x8000, 0), ['trusted', 'test', 'invalid']);
  assert.deepEqual(marksOf(0xc000, 0), ['trusted', 'invalid']);
  assert.deepEqual(marksOf(0x4000, 0), ['trusted', 'questionable']);
});

test('a simulated PMU serves a client over TCP with frames on their slots', async () => {
  const pmu = await startPmuSimulator({ idCode: ID, rate: 50 });
  const client = new C37118Client({ idCode: ID });
  const socket = connect(pmu.port, '127.0.0.1');
  const frames: DataFrame[] = [];
  const enough = Promise.withResolvers<undefined>();
  const send = ({ send: out }: Step<C37118Message>) => out.forEach((bytes) => socket.write(bytes));
  socket.on('data', (chunk) => {
    const step = client.receive(chunk, 0);
    send(step);
    for (const event of step.events) {
      assert.equal(event.kind, 'message');
      if (event.message.kind === 'data') frames.push(event.message.data);
    }
    if (frames.length >= 5) enough.resolve(undefined);
  });
  try {
    await once(socket, 'connect');
    send(client.start(0));
    await enough.promise;
    const slots = frames.map(({ second, fraction }) => second * 50 + fraction / 20_000);
    slots.forEach((slot, index) => assert.equal(slot, (slots[0] ?? 0) + index));
    assert.ok(frames.every(({ frequency }) => Math.abs((frequency[0] ?? 0) - 50) <= 0.021));
    assert.ok(pmu.framesSent >= 5);
  } finally {
    socket.destroy();
    await pmu.stop();
  }
});
