import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '#bytes/hex.ts';
import {
  decodeGeneralCiphering,
  encodeGeneralCiphering,
} from '#protocol/dlms/general-ciphering.ts';
import type { HdlcAddress } from '#protocol/hdlc/address.ts';
import { decodeHdlcFrame, encodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged, hdlcFramer, stuffed, unstuffed } from '#protocol/hdlc/framer.ts';
import { segmentsOf } from '#protocol/hdlc/segments.ts';
import { encodeMbusFrame, mbusFramer } from '#protocol/mbus/frame.ts';
import { encodeWrapperPdu, wrapperFramer } from '#protocol/wrapper/wrapper.ts';
import { observationFromCosem } from '#reading/from-cosem.ts';

import {
  SKIP,
  ARRIVAL,
  PUSHED,
  FRAMES,
  CIPHERED,
  FIRST_SEGMENT_ONLY,
  AUSTRIA,
  bytesOf,
  framingOf,
  eventsOf,
  messagesOf,
  codesOf,
  onlyMessage,
  dotted,
} from '../support/pushes.ts';

test('ciphered pushes without their keys ask for them, in every chunk size', SKIP, () => {
  assert.equal(CIPHERED.length, 14);
  for (const vector of CIPHERED) {
    const bytes = bytesOf(vector);
    for (let chunk = 1; chunk <= bytes.length; chunk += 1) {
      for (const framing of [framingOf(vector), 'auto'] as const) {
        assert.deepEqual(codesOf(eventsOf(vector, bytes, { chunk, framing })), ['key-missing']);
      }
    }
    const apdu = vector.kind === 'wrapper/udp' ? wrapped(bytes) : bytes;
    const envelope = decodeGeneralCiphering(apdu);
    assert.equal(toHex(envelope.systemTitle), '2f19229199164103');
    assert.equal(toHex(encodeGeneralCiphering(envelope)), toHex(apdu));
    const [event] = eventsOf(vector, bytes, { keys: { encryption: new Uint8Array(16) } });
    assert.ok(event?.kind === 'discarded' && event.failure.code === 'wrong-key');
  }
});

function wrapped(bytes: Uint8Array): Uint8Array {
  const [event] = wrapperFramer().push(bytes);
  assert.ok(event?.kind === 'frame');
  assert.deepEqual(encodeWrapperPdu(event.frame), bytes);
  assert.deepEqual([event.frame.source, event.frame.destination], [1, 1]);
  return event.frame.apdu;
}

test('every HDLC frame is found in every chunk size and encodes back', SKIP, () => {
  for (const vector of FRAMES) {
    const bytes = bytesOf(vector);
    const framer = hdlcFramer();
    const expected = [...framer.push(bytes), ...framer.flush()];
    for (let chunk = 1; chunk < bytes.length; chunk += chunk < 20 ? 1 : 61) {
      const cut = hdlcFramer();
      const events = [];
      for (let start = 0; start < bytes.length; start += chunk) {
        events.push(...cut.push(bytes.subarray(start, start + chunk)));
      }
      assert.deepEqual([...events, ...cut.flush()], expected, `${vector.id} by ${chunk}`);
    }
    const [event] = expected;
    if (vector.id.includes('test_frame_is_enclosed')) {
      assert.ok(event?.kind === 'discarded' && event.failure.code === 'bad-format');
      continue;
    }
    assert.ok(event?.kind === 'frame', vector.id);
    const inside = bytes.subarray(1, -1);
    const again = encodeHdlcFrame(event.frame);
    // The stuffed vector escapes control characters too, as start-stop transmission may.
    const content = vector.id.includes('STUFFED') ? unstuffed(inside) : inside;
    assert.equal(toHex(again), toHex(content), vector.id);
    assert.deepEqual(unstuffed(stuffed(again)), content);
    assert.deepEqual(decodeHdlcFrame(content), event.frame);
  }
});

test('addresses and checks are those that the sources print', SKIP, () => {
  for (const vector of FRAMES) {
    const hdlc = vector.expected?.['hdlc'] as
      { headers: readonly { destinationAddress: number; sourceAddress: number }[] } | undefined;
    if (hdlc === undefined) continue;
    const { destination, source } = decodeHdlcFrame(bytesOf(vector).subarray(1, -1));
    const number = ({ upper, lower }: HdlcAddress): number =>
      lower === undefined ? upper : (upper << 7) | lower;
    const [header] = hdlc.headers;
    assert.deepEqual(
      [number(destination), number(source)],
      [header?.destinationAddress, header?.sourceAddress],
    );
  }
});

test('a corrupted frame costs itself only, whichever byte is hit', SKIP, () => {
  const vector = FRAMES.find(({ id }) => id === 'hdlc_norway_han_1phase');
  assert.ok(vector);
  const good = bytesOf(vector);
  for (let index = 1; index < good.length - 1; index += 1) {
    for (const flip of [0x01, 0x80, (good[index] ?? 0) ^ 0x7e]) {
      if (flip === 0) continue;
      const bad = good.slice();
      bad[index] = (bad[index] ?? 0) ^ flip;
      const events = eventsOf(vector, Uint8Array.from([...bad, ...good, ...good]), { chunk: 50 });
      const offsets = events.flatMap((event) => (event.kind === 'message' ? [event.offset] : []));
      assert.deepEqual(offsets, [good.length, 2 * good.length], `byte ${index} by ${flip}`);
      assert.ok(codesOf(events).length > 0);
    }
  }
});

test('back-to-back frames may share a flag, and noise before them costs none', SKIP, () => {
  for (const vector of PUSHED.filter(
    ({ kind, id }) => kind === 'hdlc/push' && id !== FIRST_SEGMENT_ONLY,
  )) {
    const good = bytesOf(vector);
    const shared = [...good, ...good.subarray(1), ...good];
    // The same push again would be a replay if its tag were checked.
    const run = { authentication: 'never' } as const;
    const thrice = eventsOf(vector, Uint8Array.from(shared), { ...run, chunk: 11 });
    assert.equal(messagesOf(thrice).length, 3);
    for (const noise of ['00', '7e7e7e', '7ea0', '7ea7ff', 'a08b7ea8', '7e7d5ea0', '687e68']) {
      const stream = Uint8Array.from([...fromHex(noise), ...good, ...good]);
      assert.equal(messagesOf(eventsOf(vector, stream, { ...run, chunk: 3 })).length, 2, noise);
    }
  }
});

test('a first segment alone is kept back and then given up as lost', SKIP, () => {
  const vector = FRAMES.find(({ id }) => id === FIRST_SEGMENT_ONLY);
  assert.ok(vector);
  assert.deepEqual(codesOf(eventsOf(vector, bytesOf(vector))), ['segment-lost']);
});

test(
  'the segmented push of the Iskra meter, completed from its decoded form, is read',
  SKIP,
  () => {
    const vector = FRAMES.find(({ id }) => id === FIRST_SEGMENT_ONLY);
    assert.ok(vector);
    const first = decodeHdlcFrame(bytesOf(vector).subarray(1, -1));
    assert.equal(first.segmented, true);
    // The first segment ends inside the name of the ninth object, 1-0:32.7.0*255.
    const rest = fromHex(
      `ff12093c02020fff1623` + // 2364, 10^-1 V
        `020309060100340700ff12092802020fff1623020309060100480700ff12094202020fff1623` +
        `0203090601001f0700ff12003f02020ffe1621020309060100330700ff12005902020ffe1621` +
        `020309060100470700ff12004402020ffe1621` +
        `020309060100010801ff06000141fa02020f00161e020309060100010802ff060002bd2d02020f00161e` +
        `020309060100020801ff060000c5d702020f00161e020309060100020802ff060000338102020f00161e`,
    );
    const half = rest.subarray(0, 100);
    const last = rest.subarray(100);
    const stream = [
      ...bytesOf(vector),
      ...flagged(encodeHdlcFrame({ ...first, information: half })),
      ...flagged(encodeHdlcFrame({ ...first, segmented: false, information: last })),
    ];
    for (const chunk of [1, 100, stream.length]) {
      const events = eventsOf(vector, Uint8Array.from(stream), { chunk });
      const [message] = messagesOf(events);
      assert.ok(message);
      const observation = observationFromCosem('meter', message, ARRIVAL);
      const { values, strings } = vector.expected as Record<string, Record<string, unknown>>;
      for (const [code, expected] of Object.entries({ ...values, ...strings })) {
        assert.equal(dotted(observation).get(code)?.value, expected, code);
      }
      assert.equal(observation.time.second, Date.UTC(2023, 3, 1, 19, 32, 35) / 1000);
    }
  },
);

test('the Austrian M-Bus push comes in two segments, and its frames encode back', SKIP, () => {
  const vector = PUSHED.find(({ id }) => id === AUSTRIA);
  assert.ok(vector);
  const bytes = bytesOf(vector);
  const frames = mbusFramer()
    .push(bytes)
    .flatMap((event) => (event.kind === 'frame' ? [event.frame] : []));
  assert.deepEqual(
    frames.map(({ controlInformation }) => controlInformation),
    [0x00, 0x11],
  );
  const again = frames.flatMap((frame) => [...encodeMbusFrame(frame)]);
  assert.deepEqual(again, [...bytes.subarray(0, again.length)]);
  const observation = observationFromCosem('meter', onlyMessage(vector), ARRIVAL);
  const readings = dotted(observation);
  assert.equal(readings.get('1.0.1.8.0.255')?.value, 12937);
  assert.equal(readings.get('1.0.32.7.0.255')?.value, 233.7);
  assert.deepEqual(observation.quality, ['unverified']);
  assert.equal(observation.time.second, Date.UTC(2021, 8, 27, 7, 47, 15) / 1000);
  const middle = fromHex('68fafa6853');
  const lost = Uint8Array.from([...bytes.subarray(256, 282), ...middle, ...bytes.subarray(0, 282)]);
  const events = eventsOf(vector, lost, { chunk: 9 });
  assert.equal(messagesOf(events).length, 1);
  assert.deepEqual(codesOf(events), ['segment-lost', 'bad-stop']);
});

test('a long push comes through in segments of any size', SKIP, () => {
  const vector = PUSHED.find(({ id }) => id === 'amshan-aidon-se_list');
  assert.ok(vector);
  const apdu = fromHex(vector.hex);
  for (const size of [1, 10, 128, 569]) {
    const parts = segmentsOf(apdu, size);
    const stream = parts.flatMap((information, index) => [
      ...flagged(
        encodeHdlcFrame({
          segmented: index < parts.length - 1,
          destination: { upper: 1, lower: 0x3fff, length: 4 },
          source: { upper: 5, lower: 6, length: 2 },
          control: { kind: 'UI', poll: false },
          information,
        }),
      ),
    ]);
    const [message] = messagesOf(
      eventsOf(vector, Uint8Array.from(stream), { framing: 'hdlc', chunk: 13 }),
    );
    assert.deepEqual(message?.apdu, apdu);
  }
});
