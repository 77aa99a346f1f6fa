import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Append, Kept } from '#store/store.ts';
import { runsOf } from '../support/fuzz.ts';
import { OwingStore } from '../support/owing-store.ts';
import { numberOf, observation } from '../support/store.ts';

const SOURCES = ['x', 'y', 'z'];
/** A telegram, a large one, and what has a row of its own at once. */
const SIZES = [200, 7000, 9000];

const taken = fc.record({ source: fc.constantFrom(...SOURCES), size: fc.constantFrom(...SIZES) });
const several = fc.array(taken, { minLength: 1, maxLength: 5 });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('append' as const), several, undated: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('appendAll' as const), several }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), several, afterMs: fc.nat(14) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' } as const) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('look' as const),
      source: fc.constantFrom(...SOURCES),
      limit: fc.integer({ min: 1, max: 30 }),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;
type Taken = typeof taken extends fc.Arbitrary<infer One> ? One : never;

/** So many are a good part of what is there before it is sorted (64 KiB a source). */
const TURNS_BEFORE = 5;
const ROUND: Step = {
  kind: 'appendAll',
  several: SOURCES.map((source) => ({ source, size: 7000 })),
};

/** What is kept of one source, as an array. */
interface Shown {
  readonly number: number;
  readonly length: number;
}

class Run {
  readonly #world: OwingStore;
  readonly #kept = new Map<string, Shown[]>(SOURCES.map((source) => [source, []]));
  readonly #ids = new Map<number, number>();
  #number = 0;

  constructor(world: OwingStore) {
    this.#world = world;
  }

  async step(step: Step): Promise<void> {
    const world = this.#world;
    if (step.kind === 'restart') await world.restart();
    else if (step.kind === 'look') await this.#look(step.source, step.limit);
    else if (step.kind === 'crash') await this.#crash(step.several, step.afterMs);
    else {
      const undated = step.kind === 'append' && step.undated;
      const appends = step.several.map((one) => this.#next(one, undated));
      const kept =
        step.kind === 'appendAll'
          ? [world.store.appendAll(appends)]
          : appends.map((append) => world.store.append(append));
      await world.settled(Promise.all(kept));
      this.#expect(appends);
    }
  }

  /** All of it, page after page, and the newest of it. */
  async check(): Promise<void> {
    for (const source of SOURCES) {
      const all = await this.#pages(source, 7);
      assert.deepEqual(all.map(shownOf), this.#kept.get(source));
      for (const one of all) this.#knows(one);
    }
  }

  async #look(source: string, limit: number): Promise<void> {
    const { store } = this.#world;
    const newest = (await this.#world.settled(store.newest(source, limit))).map(shownOf);
    const kept = this.#kept.get(source) ?? [];
    assert.deepEqual(newest, kept.slice(kept.length - newest.length));
    const large = newest.reduce((sum, { length }) => sum + length, 0) > 200_000;
    assert.ok(large || newest.length === Math.min(limit, kept.length));
  }

  /** What belongs together is there as a whole, or not at all. */
  async #crash(several: readonly Taken[], afterMs: number): Promise<void> {
    const appends = several.map((one) => this.#next(one, false));
    void this.#world.store.appendAll(appends);
    await this.#world.clock.run(afterMs);
    await this.#world.crash();
    const here: Shown[] = [];
    for (const source of SOURCES) here.push(...(await this.#pages(source, 50)).map(shownOf));
    const numbers = appends.map((append) => numberOf(append.observation));
    const found = here.filter(({ number }) => numbers.includes(number));
    assert.ok(found.length === 0 || found.length === appends.length, `${found.length} of them`);
    if (found.length > 0) this.#expect(appends);
  }

  async #pages(source: string, limit: number): Promise<readonly Kept[]> {
    const all: Kept[] = [];
    for (let more = true; more;) {
      const { store } = this.#world;
      const afterId = all.at(-1)?.id ?? 0;
      const page = await this.#world.settled(store.observations(source, afterId, limit));
      all.push(...page);
      more = page.length > 0;
    }
    return all;
  }

  #next({ source, size }: Taken, undated: boolean): Append {
    const append = observation(this.#number, source, [], size);
    this.#number += 1;
    return undated ? { ...append, takenMs: 5, boot: 'boot-0' } : append;
  }

  #expect(appends: readonly Append[]): void {
    for (const { source, observation: bytes } of appends) {
      this.#kept.get(source)?.push({ number: numberOf(bytes), length: bytes.length });
    }
  }

  /** Who is paging finds his place: an id stays that of one observation, sorted or not. */
  #knows({ id, observation: bytes }: Kept): void {
    const number = this.#ids.get(id) ?? numberOf(bytes);
    assert.equal(number, numberOf(bytes));
    this.#ids.set(id, number);
  }
}

function shownOf({ observation: bytes }: Kept): Shown {
  return { number: numberOf(bytes), length: bytes.length };
}

test('what is kept at home of a source is an array, sorted or not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 25, maxLength: 50 }), async (steps) => {
      const directory = mkdtempSync(join(tmpdir(), 'normd-shelf-'));
      const world = new OwingStore({ directory });
      await world.open();
      try {
        const run = new Run(world);
        for (let turn = 0; turn < TURNS_BEFORE; turn += 1) await run.step(ROUND);
        for (const one of steps) await run.step(one);
        await run.check();
      } finally {
        await world.close();
        rmSync(directory, { recursive: true });
      }
    }),
    { numRuns: runsOf(15) },
  );
});
