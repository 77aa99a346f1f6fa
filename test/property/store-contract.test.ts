import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { DELIVERY_CLASSES, type DeliveryClass } from '#policy/delivery-class.ts';
import { encodeRecords } from '#reading/senml.ts';
import type { DueEntry } from '#store/store.ts';
import { runsOf } from '../support/fuzz.ts';
import { BACKEND, OwingStore, chainOf, observationOf } from '../support/owing-store.ts';

const BOUNDS = { ageMs: 30_000, bytes: 1_500 };
const FAILURE = { code: 'refused', message: 'refused' };
/** One step of a wall clock, a day ahead or back. */
const DAY_SECONDS = 86_400;

const CLASS_OF: Readonly<Record<string, DeliveryClass>> = {
  m: 'measurement',
  m_alarm: 'alarm',
  m_bulk: 'bulk',
  n: 'measurement',
};
const STREAMS = Object.keys(CLASS_OF);

const picks = fc.array(fc.nat(40), { maxLength: 6 });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      streams: fc.array(fc.constantFrom(...STREAMS), { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('acknowledge' as const),
      picks,
      inOrder: fc.boolean(),
      awaitReceipt: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('quarantine' as const), picks }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('resend' as const), picks }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('discard' as const), picks }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('receive' as const),
      stream: fc.constantFrom(...STREAMS),
      short: fc.nat(5),
      hole: fc.option(fc.nat(40)),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' } as const) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      streams: fc.array(fc.constantFrom(...STREAMS), { maxLength: 4 }),
      afterMs: fc.nat(14),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.nat(40) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('step' as const),
      seconds: fc.constantFrom(0, DAY_SECONDS, -DAY_SECONDS),
      trust: fc.constantFrom('trusted' as const, 'untrusted' as const),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

/** What a stream has shown, as arrays: the value of each number, and what was delivered. */
class StreamModel {
  readonly confirmed: number[] = [];
  /** By number; those that were dropped before anybody saw them are missing. */
  readonly values: (number | undefined)[] = [];
  readonly delivered: (readonly [sequence: number, value: number])[] = [];
  /** Delivered, or to be found among the gaps. */
  readonly gone = new Set<number>();
  through = -1;

  show(number: number, value: number): void {
    assert.equal(this.values[number] ?? value, value, 'a number means one value');
    this.values[number] = value;
  }
}

class Run {
  readonly #world: OwingStore;
  readonly #models = new Map(STREAMS.map((stream) => [stream, new StreamModel()]));
  #value = 0;

  constructor(world: OwingStore) {
    this.#world = world;
  }

  async step(step: Step): Promise<void> {
    const world = this.#world;
    if (step.kind === 'append') await world.settled(Promise.all(this.#append(step.streams)));
    else if (step.kind === 'acknowledge') await this.#acknowledge(step);
    else if (step.kind === 'receive') await this.#receive(step);
    else if (step.kind === 'restart') await world.restart();
    else if (step.kind === 'wait') await world.clock.run(step.seconds * 1000);
    else if (step.kind === 'step') {
      world.clock.stepSeconds = step.seconds;
      world.clock.trust = step.trust;
    } else if (step.kind === 'crash') {
      void Promise.all(this.#append(step.streams));
      await world.clock.run(step.afterMs);
      await world.crash();
    } else await this.#setAside(step);
    await this.check();
  }

  /** Order, values, and that every number is due, waiting, delivered, or named. */
  async check(): Promise<void> {
    const entries = await this.#kept();
    for (const entry of entries) this.#show(entry);
    for (const [stream, model] of this.#models) {
      const standing = (await this.#world.streams()).find((one) => one.stream === stream);
      if (standing === undefined) {
        assert.deepEqual(model.confirmed, [], 'what was confirmed has a number');
        continue;
      }
      const here = entries.filter((entry) => entry.stream === stream);
      const numbers = new Set([...here, ...standing.gaps.map(spanOf)].flatMap(numbersOf));
      const absent = range(0, standing.next).filter(
        (number) => !numbers.has(number) && !model.gone.has(number),
      );
      assert.deepEqual(absent, [], `${stream}: neither due, nor delivered, nor named`);
      this.#compare(model, standing);
    }
  }

  #compare(model: StreamModel, standing: Awaited<ReturnType<OwingStore['standing']>>): void {
    const seen = model.values.filter((value) => value !== undefined);
    assert.deepEqual(
      seen,
      [...new Set(seen)].toSorted((a, b) => a - b),
      'in the order of appends',
    );
    const unseen = model.confirmed.filter((value) => !seen.includes(value));
    const unseenNumbers = range(0, standing.next).filter(
      (number) => model.values[number] === undefined,
    );
    assert.ok(unseen.length <= unseenNumbers.length, 'what nobody saw has been named');
    const named = standing.gaps.map(spanOf).flatMap(numbersOf);
    assert.deepEqual(named, [...new Set(named)], 'no number is named twice');
    model.through = passed(model.through, standing.gaps);
    assert.equal(standing.through, model.through);
    assert.deepEqual(standing.chain, chainOf(standing.stream, model.delivered));
    assert.equal(standing.class, CLASS_OF[standing.stream]);
  }

  #append(streams: readonly string[]): Promise<void>[] {
    return streams.map(async (stream) => {
      const value = this.#value;
      this.#value += 1;
      await this.#world.append(stream, value, CLASS_OF[stream]);
      this.#models.get(stream)?.confirmed.push(value);
    });
  }

  async #acknowledge({ picks: places, inOrder, awaitReceipt }: Step & { kind: 'acknowledge' }) {
    const due = await this.#due();
    const picked = (
      inOrder ? due.slice(0, places.length) : places.map((place) => due[place])
    ).filter((entry) => entry !== undefined);
    for (const entry of picked) await this.#deliver(entry, awaitReceipt);
  }

  /** One by one: after each the store may have passed a gap. */
  async #deliver(entry: DueEntry, awaitReceipt: boolean): Promise<void> {
    const model = this.#modelOf(entry.stream);
    await this.#world.acknowledge([entry], awaitReceipt);
    const numbers = numbersOf(entry);
    if (entry.sequence > model.through + 1) return;
    for (const number of numbers) model.gone.add(number);
    if (entry.sequence !== model.through + 1) return;
    for (const number of numbers) model.delivered.push([number, model.values[number] ?? NaN]);
    model.through = numbers.at(-1) ?? NaN;
    const { gaps } = await this.#world.standing(entry.stream);
    model.through = passed(model.through, gaps);
  }

  async #setAside({ kind, picks: places }: Step & { picks: readonly number[] }): Promise<void> {
    const world = this.#world;
    const { store } = world;
    const from =
      kind === 'quarantine' ? await this.#due() : await world.settled(store.quarantined(BACKEND));
    for (const entry of places.map((place) => from[place])) {
      if (entry === undefined) continue;
      if (kind === 'quarantine') await world.settled(store.quarantine(BACKEND, entry.id, FAILURE));
      else if (kind === 'resend') await world.settled(store.resend(BACKEND, entry.id));
      else await world.settled(store.discard(BACKEND, entry.id));
      await this.check();
    }
  }

  async #receive({ stream, short, hole }: Step & { kind: 'receive' }): Promise<void> {
    const { through } = this.#modelOf(stream);
    const { epoch } = this.#world.store.opening;
    const holes = hole === null ? [] : [[hole, hole] as const];
    const receipt = { stream, epoch, through: through - short, holes };
    await this.#world.settled(this.#world.store.receive(BACKEND, [receipt]));
  }

  #show(entry: Pick<DueEntry, 'stream' | 'sequence' | 'count' | 'records'>): void {
    const { stream, sequence, count, records } = entry;
    const model = this.#modelOf(stream);
    let rest = Buffer.from(records);
    for (const number of range(sequence, sequence + count)) {
      const known = model.values[number];
      const candidates = known === undefined ? range(0, this.#value) : [known];
      const value = candidates.find((one) => startsWith(rest, stream, one));
      assert.ok(value !== undefined, 'records of one that was appended');
      model.show(number, value);
      rest = rest.subarray(recordsOf(stream, value).length);
    }
    assert.equal(rest.length, 0);
  }

  async #due(): Promise<readonly DueEntry[]> {
    const lanes = await Promise.all(DELIVERY_CLASSES.map((of) => this.#world.due(of)));
    return lanes.flat();
  }

  /** All that is due or in quarantine, with its records. */
  async #kept(): Promise<readonly DueEntry[]> {
    const world = this.#world;
    const { store } = world;
    const due = await this.#due();
    assert.deepEqual(
      due.map(({ id }) => id),
      [...new Set(due.map(({ id }) => id))],
    );
    const aside = await world.settled(store.quarantined(BACKEND));
    const filled = await world.settled(
      Promise.all(aside.map(({ id }) => store.entry(BACKEND, id))),
    );
    return [...due, ...filled.filter((entry) => entry !== undefined)];
  }

  #modelOf(stream: string): StreamModel {
    const model = this.#models.get(stream);
    assert.ok(model !== undefined);
    return model;
  }
}

function recordsOf(stream: string, value: number): Uint8Array {
  return encodeRecords(observationOf(stream, value)).records;
}

function startsWith(records: Buffer, stream: string, value: number): boolean {
  const expected = recordsOf(stream, value);
  return Buffer.compare(records.subarray(0, expected.length), expected) === 0;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}

const spanOf = ({ first, last }: { first: number; last: number }) => {
  return { sequence: first, count: last - first + 1 };
};

function numbersOf({ sequence, count }: Pick<DueEntry, 'sequence' | 'count'>): number[] {
  return range(sequence, sequence + count);
}

function passed(
  through: number,
  gaps: readonly { readonly first: number; readonly last: number }[],
): number {
  let at = through;
  for (const { first, last } of gaps) if (first <= at + 1) at = Math.max(at, last);
  return at;
}

test('every number is due, delivered or named, whatever happens to the store', async () => {
  const runs = fc.record({
    steps: fc.array(step, { minLength: 5, maxLength: 40 }),
    runCountMax: fc.constantFrom(1, 3, 256),
    answerDelayMs: fc.constantFrom(0, 1),
  });
  const property = fc.asyncProperty(runs, async ({ steps, ...options }) => {
    const directory = mkdtempSync(join(tmpdir(), 'normd-store-'));
    const outboxes = { [BACKEND]: BOUNDS };
    const world = new OwingStore({ directory, outboxes, ...options });
    try {
      await world.open();
      const run = new Run(world);
      for (const one of steps) await run.step(one);
      await world.close();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
  await fc.assert(property, { numRuns: runsOf(40) });
});
