import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DueEntry } from '#store/store.ts';
import { Histogram } from '#system/histogram.ts';
import type { Pack } from '#uplink/pack.ts';
import { SendQueue } from '#uplink/send-queue.ts';

const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

function entry(id: number, stream: string, sequence: number): DueEntry {
  const records = new Uint8Array(100);
  return {
    id,
    stream,
    epoch: 1,
    sequence,
    count: 1,
    takenMs: 0,
    committedMs: 0,
    records,
    recordCount: 1,
    readings: 1,
  };
}

test('whatever a broker answers, deletions are a prefix of each stream', () => {
  const answers = fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 60 });
  const streams = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 40 });
  fc.assert(
    fc.property(streams, answers, (names, script) => {
      const counters = new Map<string, number>();
      const entries = names.map((name, index) => {
        const sequence = counters.get(name) ?? 0;
        counters.set(name, sequence + 1);
        return entry(index + 1, name, sequence);
      });
      const queue = new SendQueue();
      const deleted: DueEntry[] = [];
      const flying: Pack[] = [];
      for (const [pick, good] of script) {
        const due = entries.filter(({ id }) => !deleted.some((one) => one.id === id));
        queue.add(due, 500);
        for (let pack = queue.next(500); pack !== undefined; pack = queue.next(500)) {
          flying.push(pack);
        }
        const [pack] = flying.splice(pick % Math.max(1, flying.length), 1);
        if (pack === undefined) break;
        if (good) deleted.push(...queue.delivered(pack));
        else {
          const refused = queue.refused(pack, { code: 'quota-exceeded', message: '' });
          if (refused !== undefined) queue.resume(pack.stream);
        }
      }
      for (const name of ['a', 'b', 'c']) {
        const sequences = deleted.filter(({ stream }) => stream === name);
        assert.deepEqual(
          sequences.map(({ sequence }) => sequence),
          range(sequences.length),
        );
      }
      assert.equal(queue.inFlight, flying.length);
    }),
  );
});

test('percentiles of a histogram are at most a twentieth too large', () => {
  const values = fc.array(fc.double({ min: 0.01, max: 1e9, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
      const histogram = new Histogram();
      for (const value of list) histogram.record(value);
      const sorted = list.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(share * list.length)) - 1] ?? NaN;
      const ratio = (histogram.percentile(share) ?? NaN) / exact;
      assert.ok(ratio > 0.999999 && ratio < 1.05, `${ratio}`);
    }),
  );
  assert.equal(new Histogram().percentile(0.5), undefined);
});
