import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex } from '#bytes/hex.ts';
import type { ConnectionEvent } from '#protocol/connection.ts';
import type { DlmsPushMessage } from '#protocol/dlms/push.ts';
import { DlmsPushConnection } from '#protocol/dlms/push.ts';
import { controlFrom } from '#protocol/hdlc/control.ts';
import { decodeHdlcFrame, encodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged, hdlcFramer, stuffed } from '#protocol/hdlc/framer.ts';
import { observationFromCosem } from '#reading/from-cosem.ts';
import { startPushMeter } from '#sim/meter.ts';
import { machineAesGcm } from '#system/cipher.ts';
import type { Clock } from '#system/clock.ts';

const uint = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });

const address = fc.oneof(
  uint(7).map((upper) => ({ upper, length: 1 }) as const),
  fc.tuple(uint(7), uint(7)).map(([upper, lower]) => ({ upper, lower, length: 2 }) as const),
  fc.tuple(uint(14), uint(14)).map(([upper, lower]) => ({ upper, lower, length: 4 }) as const),
);
const frame = fc.record(
  {
    segmented: fc.boolean(),
    destination: address,
    source: address,
    control: uint(8).map(controlFrom),
    information: fc.uint8Array({ maxLength: 500 }),
  },
  { noNullPrototype: true },
);

test('every HDLC frame comes back the same, plain, stuffed and in pieces', () => {
  fc.assert(
    fc.property(frame, fc.boolean(), fc.integer({ min: 1, max: 50 }), (value, escape, chunk) => {
      const content = encodeHdlcFrame(value);
      assert.deepEqual(decodeHdlcFrame(content), value);
      const bytes = flagged(escape ? stuffed(content) : content);
      const framer = hdlcFramer();
      const frames = [];
      for (let start = 0; start < bytes.length; start += chunk) {
        frames.push(...framer.push(bytes.subarray(start, start + chunk)));
      }
      frames.push(...framer.flush());
      assert.deepEqual(
        frames.map((event) => event.kind === 'frame' && event.frame),
        [value],
      );
    }),
  );
});

test('a stuffed frame without information is read though an escape stands in its addresses', () => {
  const events = hdlcFramer().push(fromHex('7ea0087d5d0001007fe57e'));
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['frame'],
  );
});

test('an FCS that ends in an escape and was stuffed leaves nothing behind', () => {
  const framer = hdlcFramer();
  const events = Array.from(fromHex('7ea00e010000000100b3656b00237d5d7e'), (byte) =>
    framer.push(Uint8Array.of(byte)),
  ).flat();
  assert.deepEqual(
    [...events, ...framer.flush()].map(({ kind }) => kind),
    ['frame'],
  );
});

test('after any garbage at most one frame is lost', () => {
  const good = flagged(
    encodeHdlcFrame({
      segmented: false,
      destination: { upper: 1, length: 1 },
      source: { upper: 2, length: 1 },
      control: { kind: 'UI', poll: false },
      information: Uint8Array.from({ length: 60 }, (_, index) => index),
    }),
  );
  const hostile = fc.array(fc.constantFrom(0x7e, 0xa0, 0xa7, 0x7d, 0x5e, 0x03, 0xff), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(fc.oneof(hostile, fc.array(uint(8), { maxLength: 60 })), (garbage) => {
      const framer = hdlcFramer();
      const events = [...framer.push(Uint8Array.from([...garbage, ...good, ...good, ...good]))];
      events.push(...framer.flush());
      const found = events.filter(({ kind }) => kind === 'frame').length;
      assert.ok(found >= 2, `${found} of 3 frames`);
    }),
  );
});

type Event = ConnectionEvent<DlmsPushMessage>;

test('a stream of anything is told the same however it is cut, and no byte is told twice', () => {
  const framings = fc.constantFrom('hdlc', 'mbus', 'wrapper', 'raw', 'auto');
  const byte = fc.oneof(uint(8), fc.constantFrom(0x7e, 0x68, 0, 1, 0x0f, 0xdb, 0xa0, 2, 9));
  fc.assert(
    fc.property(framings, fc.array(byte, { maxLength: 300 }), (framing, list) => {
      const bytes = Uint8Array.from(list);
      const run = (chunk: number): readonly Event[] => {
        const connection = new DlmsPushConnection({
          framing,
          authentication: 'if-key',
          cipher: machineAesGcm,
        });
        connection.start(0);
        const events: Event[] = [];
        for (let start = 0; start < bytes.length; start += chunk) {
          events.push(...connection.receive(bytes.subarray(start, start + chunk), 0).events);
        }
        return [...events, ...connection.expire(1_000_000).events];
      };
      const events = run(300);
      assert.deepEqual(run(1), events);
      let end = 0;
      for (const event of events) {
        if (event.kind === 'stalled') continue;
        assert.ok(event.offset >= end && event.offset + event.length <= bytes.length);
        end = event.offset + event.length;
      }
    }),
  );
});

/** A clock that only `turn` moves. */
function turnedClock(): Clock & { turn(delayMs: number): void } {
  let now = 0;
  let timers: { at: number; run: () => void }[] = [];
  return {
    boot: 'boot-1',
    believeFrom: () => undefined,
    monotonic: () => now,
    wall: () => ({
      second: 1_800_000_000 + Math.floor(now / 1000),
      nanosecond: 0,
      clock: 'gateway',
      trust: 'trusted',
    }),
    after: (delayMs, run) => {
      const timer = { at: now + delayMs, run };
      timers.push(timer);
      return () => (timers = timers.filter((other) => other !== timer));
    },
    turn: (delayMs) => {
      const end = now + delayMs;
      for (;;) {
        const next = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        now = next.at;
        next.run();
      }
      now = end;
    },
  };
}

test('the simulated meter pushes what the connection understands, sealed and in segments', () => {
  const keys = {
    encryption: new Uint8Array(16).fill(1),
    authentication: new Uint8Array(16).fill(2),
  };
  for (const sealed of [false, true]) {
    for (const segmentBytes of [20, 2000]) {
      const clock = turnedClock();
      const connection = new DlmsPushConnection({
        framing: 'auto',
        keys,
        authentication: 'if-key',
        cipher: machineAesGcm,
      });
      connection.start(0);
      const events: Event[] = [];
      const write = (bytes: Uint8Array): void => {
        events.push(...connection.receive(bytes, clock.monotonic()).events);
      };
      const options = { clock, intervalMs: 10_000, write, segmentBytes };
      const meter = startPushMeter(sealed ? { ...options, keys } : options);
      clock.turn(60_000);
      meter.stop();
      clock.turn(60_000);
      assert.equal(meter.sent, 6);
      const messages = events.flatMap((event) => (event.kind === 'message' ? [event.message] : []));
      assert.equal(messages.length, 6);
      assert.ok(messages.every(({ ciphering }) => (ciphering !== undefined) === sealed));
      const arrival = clock.wall();
      const seen = messages.map((message) => observationFromCosem('meter', message, arrival));
      assert.deepEqual(
        seen.map(({ time }) => time.second - 1_800_000_000),
        [10, 20, 30, 40, 50, 60],
      );
      const energy = seen.map(({ readings }) =>
        Number(readings.find(({ object }) => object === '1-0:1.8.0*255')?.raw),
      );
      assert.ok(energy.every((value, index) => index === 0 || value > (energy[index - 1] ?? 0)));
      assert.deepEqual(
        seen.map(({ quality }) => quality.join()),
        // The connection has keys, so what comes in clear can be anyone's.
        Array(6).fill(sealed ? '' : 'unverified'),
      );
    }
  }
});
