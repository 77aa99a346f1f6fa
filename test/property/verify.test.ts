import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { wrapPayload } from '#contract/envelope.ts';
import { Ranges } from '#contract/ranges.ts';
import { machineZstd } from '#system/zstd.ts';
import { type Sent, anyLife, sentIn, verified } from '../support/contract.ts';

/** The messages repeated and in another order, as brokers and reconnects bring them. */
function shuffled(sent: readonly Sent[], picks: readonly number[]): readonly Sent[] {
  if (sent.length === 0) return [];
  const repeated = [...sent, ...picks.flatMap((pick) => sent[pick % sent.length] ?? [])];
  return repeated
    .map((message, at) => ({ message, place: picks[at % picks.length] ?? 0 }))
    .sort((one, other) => one.place - other.place)
    .map(({ message }) => message);
}

const picks = fc.array(fc.nat(), { minLength: 3, maxLength: 9 });

test('what a gateway sent is complete in any order, repeated, live before, and compressed', () => {
  fc.assert(
    fc.property(anyLife, picks, fc.boolean(), fc.boolean(), (life, places, live, compressed) => {
      const sent = sentIn(life);
      const packs = sent.filter(({ numbers }) => numbers.length > 0);
      const copies = packs.map((pack) => ({ ...pack, topic: pack.topic.replace('/up/', '/lv/') }));
      const data = [...(live ? copies : []), ...shuffled(packs, places)].map((message) => ({
        ...message,
        payload: compressed ? wrapPayload(message.payload, machineZstd) : message.payload,
      }));
      const manifests = sent.filter(({ topic }) => topic.endsWith('/mf'));
      const report = verified([...data, ...manifests]).report();
      assert.ok(report.complete, JSON.stringify(report));
      const [stream] = report.streams;
      const numbers = new Set(packs.flatMap((message) => message.numbers));
      assert.equal(stream?.observations, numbers.size);
      const arrivals = data.reduce((sum, message) => sum + message.numbers.length, 0);
      assert.equal(stream.repeats, arrivals - numbers.size);
      assert.deepEqual(stream.proven, [[0, life.observations.length - 1]]);
    }),
  );
});

test('manifests that come before or between what they cover prove the same', () => {
  fc.assert(
    fc.property(anyLife, picks, (life, places) => {
      const report = verified(shuffled(sentIn(life), places)).report();
      assert.ok(report.complete, JSON.stringify(report));
    }),
  );
});

test('whatever was lost, the verdict is the same in any order', () => {
  const losses = fc.array(fc.boolean(), { minLength: 3, maxLength: 12 });
  fc.assert(
    fc.property(anyLife, losses, picks, picks, (life, lost, ...orders) => {
      const came = sentIn(life).filter((_, at) => lost[at % lost.length] !== true);
      const [one, other] = orders.map((places) => verified(shuffled(came, places)).report());
      const told = one?.streams.map(({ verdict, holes, gaps }) => ({ verdict, holes, gaps }));
      assert.deepEqual(
        other?.streams.map(({ verdict, holes, gaps }) => ({ verdict, holes, gaps })),
        told,
      );
    }),
  );
});

test('a message that never came is told by its numbers', () => {
  fc.assert(
    fc.property(anyLife, fc.nat(), (life, pick) => {
      const sent = sentIn(life);
      const packs = sent.filter(({ numbers }) => numbers.length > 0);
      fc.pre(packs.length > 0);
      const lost = packs[pick % packs.length];
      const report = verified(sent.filter((message) => message !== lost)).report();
      const due = (lost?.numbers ?? []).filter((at) => life.fates[at] === 'sent');
      const holes = report.streams[0]?.holes.flatMap(([from, through]) =>
        Array.from({ length: through - from + 1 }, (_, at) => from + at),
      );
      assert.deepEqual(holes, due);
      assert.equal(report.complete, due.length === 0);
    }),
  );
});

test('every altered byte of an observation that counts is found', () => {
  const flip = fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(anyLife, flip, (life, [pick, place, bits]) => {
      const sent = sentIn(life);
      const all = (at: number): boolean => life.fates[at] === 'sent';
      const packs = sent.filter(({ numbers }) => numbers.length > 0 && numbers.every(all));
      fc.pre(packs.length > 0);
      const chosen = packs[pick % packs.length];
      const altered = sent.map((message) => {
        if (message !== chosen) return message;
        const payload = message.payload.slice();
        payload[place % payload.length] = (payload[place % payload.length] ?? 0) ^ bits;
        return { ...message, payload };
      });
      assert.ok(verified(sent).report().complete);
      assert.equal(verified(altered).report().complete, false);
    }),
    { numRuns: 200 },
  );
});

test('whatever bytes come on whatever topic, the verifier takes them', () => {
  const topics = fc.constantFrom('nd/1/g/up/s', 'nd/1/g/lv/s', 'nd/1/g/mf', 'nd/1/g/st', 'x', '');
  const payload = fc.oneof(
    fc.uint8Array(),
    fc.json().map((text) => Buffer.from(text)),
    fc.uint8Array().map((bytes) => Buffer.concat([Buffer.from('a2010102', 'hex'), bytes])),
  );
  fc.assert(
    fc.property(fc.array(fc.record({ topic: topics, payload })), (messages) => {
      assert.equal(verified(messages).report().complete, false);
    }),
  );
});

test('ranges hold what a set of numbers holds', () => {
  const step = fc.tuple(fc.nat(60), fc.nat(6)).map(([from, more]) => [from, from + more] as const);
  fc.assert(
    fc.property(fc.array(step), step, (steps, [from, through]) => {
      const ranges = new Ranges();
      const set = new Set<number>();
      for (const [first, last] of steps) {
        ranges.add(first, last);
        for (let at = first; at <= last; at += 1) set.add(at);
      }
      assert.equal(ranges.size, set.size);
      const missing = new Set(
        ranges
          .missing(from, through)
          .flatMap(([first, last]) =>
            Array.from({ length: last - first + 1 }, (_, i) => first + i),
          ),
      );
      for (let at = 0; at <= 70; at += 1) {
        assert.equal(ranges.has(at), set.has(at));
        assert.equal(missing.has(at), at >= from && at <= through && !set.has(at));
      }
      const apart = ranges.list.every(
        ([first], at) => at === 0 || first > (ranges.list[at - 1]?.[1] ?? 0) + 1,
      );
      assert.ok(apart);
    }),
  );
});
