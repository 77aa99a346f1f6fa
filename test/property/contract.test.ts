import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode as decodeCbor } from 'cbor2';
import { OperatingError } from '#bytes/failure.ts';
import { advanceAll, chainStart } from '#contract/chain.ts';
import { formsOfPack, formsOfRecords } from '#contract/records.ts';
import type { Observation } from '#reading/reading.ts';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { anyObservation } from '../support/observations.ts';

const KEY = { gateway: 'gw-1', stream: 'meter1', epoch: 1_800_000_000 };
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

const observations = fc.array(anyObservation, { minLength: 1, maxLength: 8 });

function packOf(taken: readonly Observation[], sequence: number): Uint8Array {
  return encodePack({ ...KEY, sequence, count: taken.length }, taken.map(encodeRecords));
}

/** The same observations in consecutive packs, cut where `cuts` says. */
function packings(taken: readonly Observation[], cuts: readonly boolean[]): readonly Uint8Array[] {
  const starts = [...taken.keys()].filter((at) => at === 0 || cuts[at] === true);
  return starts.map((start, index) => packOf(taken.slice(start, starts[index + 1]), start));
}

function mapsOf(bytes: Uint8Array): readonly ReadonlyMap<number | string, unknown>[] {
  return decodeCbor(Uint8Array.from(bytes), {
    tags: new Map([[4, (tag: { contents?: unknown }) => tag.contents]]),
    preferMap: true,
  });
}

test('the chain of a stream is the same from any packing, and from what is stored', () => {
  const cut = fc.array(fc.boolean(), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(observations, cut, (taken, cuts) => {
      const stored = taken.map((each) => encodeRecords(each).records);
      const expected = advanceAll(
        sha256,
        chainStart(),
        0,
        stored.flatMap((records) => formsOfRecords(records)),
      );
      let chain = chainStart();
      for (const pack of packings(taken, cuts)) {
        const { key, forms } = formsOfPack(pack);
        chain = advanceAll(sha256, chain, key.sequence, forms);
      }
      assert.deepEqual(chain, expected);
      const run = Buffer.concat(stored);
      assert.deepEqual(advanceAll(sha256, chainStart(), 0, formsOfRecords(run)), expected);
    }),
  );
});

test('the forms are the records as another CBOR decoder sees them, less version, name, key', () => {
  fc.assert(
    fc.property(observations, (taken) => {
      const pack = packOf(taken, 7);
      const { key, forms } = formsOfPack(Buffer.from(pack.buffer, 0, pack.length));
      assert.deepEqual(pack, packOf(taken, 7), 'what was read is untouched');
      assert.deepEqual(key, { ...KEY, sequence: 7, count: taken.length });
      assert.equal(forms.length, taken.length);
      const seen = forms.flatMap((form, index) => {
        const count = taken[index]?.readings.length ?? 0;
        const head = count < 24 ? [0x80 | count] : [0x98, count];
        return mapsOf(Buffer.concat([Uint8Array.from(head), form]));
      });
      const dropped = new Set<number | string>([-1, -2, 'k']);
      const expected = mapsOf(pack).map(
        (record) => new Map([...record].filter(([label]) => !dropped.has(label))),
      );
      assert.deepEqual(seen, expected);
    }),
  );
});

test('an encoded observation has its base time in its first record and in no other', () => {
  fc.assert(
    fc.property(anyObservation, fc.boolean(), (taken, unset) => {
      const time = { ...taken.time, second: 125 };
      const observation = unset ? { ...taken, time } : taken;
      const { records, recordCount } = encodeRecords(observation);
      const based = mapsOf(Buffer.concat([Uint8Array.of(0x98, recordCount), records])).map(
        (record) => record.has(-3),
      );
      assert.deepEqual(based, [true, ...Array.from({ length: recordCount - 1 }, () => false)]);
    }),
  );
});

test('a pack with one byte altered is refused, bears another key, or gives another chain', () => {
  fc.assert(
    fc.property(observations, fc.nat(), fc.integer({ min: 1, max: 255 }), (taken, place, flip) => {
      const good = packOf(taken, 7);
      const chainOf = (bytes: Uint8Array): string => {
        const { key, forms } = formsOfPack(bytes);
        const chain = advanceAll(sha256, chainStart(), key.sequence, forms);
        return `${JSON.stringify(key)} ${Buffer.from(chain).toString('hex')}`;
      };
      const bad = good.slice();
      bad[place % bad.length] = (bad[place % bad.length] ?? 0) ^ flip;
      let seen: string | undefined;
      try {
        seen = chainOf(bad);
      } catch (error) {
        assert.ok(error instanceof OperatingError, String(error));
      }
      assert.notEqual(seen, chainOf(good));
      assert.throws(() => formsOfPack(good.subarray(0, place % good.length)), OperatingError);
    }),
    { numRuns: 500 },
  );
});
