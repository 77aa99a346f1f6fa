import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { failureOf } from '#bytes/failure.ts';
import { decodeManifest } from '#contract/manifest.ts';
import { GAP_REASONS } from '#contract/manifest.ts';
import type { ListedGap, Standing } from '#store/store.ts';
import { tellingOf } from '#uplink/manifest-gaps.ts';
import { ManifestRound } from '#uplink/manifest-round.ts';
import { runsOf } from '../support/fuzz.ts';
import { HeadEnd } from '../support/head-end.ts';
import { BACKEND, OwingStore } from '../support/owing-store.ts';

/** Enough for three manifests of gaps that touch no other. */
const LENGTH_MAX = 1_400;
const POISON = { code: 'payload-invalid', message: 'refused' };
const HEAD = { gateway: 'gw-1', at: '2026-11-21T12:00:00Z' };

interface Outage {
  readonly length: number;
  /** Which numbers are set aside: those whose place in this pattern is true. */
  readonly pattern: readonly boolean[];
  /** A share of what is set aside had come already. */
  readonly heard: number;
  /** How many are delivered before the next manifests. */
  readonly steps: readonly number[];
  readonly bytesMax: number;
  readonly restarts: boolean;
}

const outage: fc.Arbitrary<Outage> = fc.record({
  length: fc.integer({ min: 1, max: LENGTH_MAX }),
  pattern: fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
  heard: fc.nat(3),
  steps: fc.array(fc.integer({ min: 1, max: LENGTH_MAX }), { maxLength: 3 }),
  bytesMax: fc.constantFrom(500, 4_000, 1 << 20),
  restarts: fc.boolean(),
});

async function reportAfter(world: OwingStore, outage: Outage) {
  const { length, pattern, heard, steps, bytesMax, restarts } = outage;
  await world.appendAll(
    'm',
    Array.from({ length }, (_, value) => value),
  );
  const due = await world.due();
  const isLost = (sequence: number): boolean => pattern[sequence % pattern.length] === true;
  const lost = due.filter(({ sequence }) => isLost(sequence));
  const head = new HeadEnd();
  head.hear(lost.filter((_, at) => at % 4 < heard));
  await Promise.all(lost.map(({ id }) => world.store.quarantine(BACKEND, id, POISON)));
  let left = due.filter(({ sequence }) => !isLost(sequence));
  for (const step of [...steps, length]) {
    await head.manifest(world, bytesMax);
    if (restarts) await world.restart();
    await head.take(world, left.slice(0, step));
    left = left.slice(step);
  }
  await head.manifest(world, bytesMax);
  const named = head
    .report()
    .streams[0]?.gaps.reduce((sum, { from, through }) => sum + through - from + 1, 0);
  assert.equal(named, lost.length, 'each is named');
  return head.report();
}

test('however many gaps an outage leaves, manifests name all, and nothing is missing', async () => {
  const property = fc.asyncProperty(outage, async (one) => {
    const directory = mkdtempSync(join(tmpdir(), 'normd-manifest-'));
    const world = new OwingStore({ directory, runCountMax: 1 });
    try {
      await world.open();
      const { complete, streams, faults } = await reportAfter(world, one);
      const verdicts = streams.map(({ verdict, holes }) => [verdict, holes.length]);
      assert.deepEqual([complete, verdicts, faults], [true, [['complete', 0]], []]);
      await world.close();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
  await fc.assert(property, { numRuns: runsOf(12) });
});

const gapsOf = (flags: readonly boolean[]): readonly ListedGap[] =>
  flags.map((told, at) => ({ first: 2 * at, last: 2 * at, reason: 'age', told }));

const standing: fc.Arbitrary<Standing> = fc.record({
  number: fc.nat(),
  streams: fc
    .array(fc.record({ flags: fc.array(fc.boolean(), { maxLength: 30 }), more: fc.nat(3) }), {
      maxLength: 4,
    })
    .map((streams) =>
      streams.map(({ flags, more }, at) => ({
        stream: `s${at}`,
        class: 'measurement' as const,
        epoch: 1,
        through: -1,
        next: 100,
        gaps: gapsOf(flags),
        gapsOmitted: more,
        gapsToCome: more,
      })),
    ),
});

const isUntold = ({ told }: ListedGap): boolean => !told;

test('a manifest keeps to its size, and untold gaps are the last that it leaves out', () => {
  fc.assert(
    fc.property(standing, fc.integer({ min: 80, max: 6_000 }), (one, bytesMax) => {
      let telling;
      try {
        telling = tellingOf(HEAD, one, bytesMax);
      } catch (error) {
        assert.equal(failureOf(error).code, 'too-large');
        return;
      }
      assert.ok(Buffer.byteLength(telling.text) <= bytesMax);
      const read = decodeManifest(Buffer.from(telling.text));
      const told = read.streams.map(({ stream }) => stream);
      const streams = one.streams.filter(({ stream }) => told.includes(stream));
      const listed = streams.flatMap(({ gaps }) => gaps);
      const untold = listed.filter(isUntold).length;
      const beyond = streams.reduce((sum, { gapsToCome }) => sum + gapsToCome, 0);
      const named = read.streams.flatMap(({ gaps }) => gaps);
      const toCome = read.streams.reduce((sum, { gapsToCome = 0 }) => sum + gapsToCome, 0);
      assert.equal(telling.gaps.length + toCome, untold + beyond);
      if (streams.length > 1) assert.equal(telling.gaps.length, untold, 'all of each stream');
      if (named.length > telling.gaps.length) assert.equal(telling.gaps.length, untold);
      assert.equal(named.length + toCome + (read.gapsOmitted ?? 0), listed.length + 2 * beyond);
      assert.ok(named.every(({ reason }) => GAP_REASONS.includes(reason)));
    }),
  );
});

const streamsOf = (count: number): Standing['streams'] =>
  Array.from({ length: count }, (_, at) => ({
    stream: `meter-${at}`,
    class: 'measurement' as const,
    epoch: 1_795_262_400,
    through: 123_456,
    chain: new Uint8Array(32),
    next: 123_460,
    gaps: [],
    gapsOmitted: 0,
    gapsToCome: 0,
  }));

/** The streams that manifests of one round name, each of which a receiver can read. */
function namedInRound(streams: Standing['streams'], bytesMax: number): readonly string[][] {
  const round = new ManifestRound();
  const named: string[][] = [];
  for (let number = 1; ; number += 1) {
    const telling = tellingOf(HEAD, round.leftOf({ number, streams }), bytesMax);
    assert.ok(Buffer.byteLength(telling.text) <= bytesMax);
    const read = decodeManifest(Buffer.from(telling.text));
    named.push(read.streams.map(({ stream }) => stream));
    round.heard(telling);
    if (!telling.more) return named;
  }
}

test('streams that do not go into one manifest go into several, each into one', () => {
  for (const [count, bytesMax] of [
    [9, 1500],
    [100, 16_000],
    [800, 128_000],
    [5000, 1 << 20],
  ] as const) {
    const named = namedInRound(streamsOf(count), bytesMax);
    const all = streamsOf(count).map(({ stream }) => stream);
    assert.deepEqual(named.flat(), all, `${count} streams`);
    assert.ok(named.length > 1);
  }
});

test('a stream too large by itself keeps no other out of the manifest', () => {
  const [one, two, three] = streamsOf(3);
  assert.ok(one !== undefined && two !== undefined && three !== undefined);
  const long = { ...two, stream: 'm'.repeat(64) };
  const bytesMax = tellingOf(HEAD, { number: 1, streams: [one] }, 1 << 20).text.length + 2;
  const streams = [one, long, three];
  assert.deepEqual(namedInRound(streams, bytesMax), [[one.stream], [three.stream]]);
  assert.deepEqual(tellingOf(HEAD, { number: 1, streams }, bytesMax).unfit, [long]);
});
