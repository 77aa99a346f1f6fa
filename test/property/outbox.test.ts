import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { openStore } from '#store/open.ts';
import type { DueEntry, Store } from '#store/store.ts';
import { runsOf } from '../support/fuzz.ts';

const BACKENDS = ['utility', 'grid'];

type Step =
  | { readonly kind: 'append'; readonly source: string; readonly to: readonly string[] }
  | { readonly kind: 'acknowledge'; readonly backend: string; readonly picks: readonly number[] }
  | { readonly kind: 'reopen' };

const append = fc.record({
  kind: fc.constant('append' as const),
  source: fc.constantFrom('meter', 'pmu'),
  to: fc.subarray(BACKENDS),
});
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: append },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('acknowledge' as const),
      backend: fc.constantFrom(...BACKENDS, 'nobody'),
      picks: fc.array(fc.nat(30), { maxLength: 8 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' } as const) },
);

interface Owed {
  readonly stream: string;
  readonly sequence: number;
  readonly content: number;
}

/** The outbox as an array a back-end, and the numbers of its streams. */
class Model {
  readonly owed = new Map<string, Owed[]>(BACKENDS.map((backend) => [backend, []]));
  readonly #next = new Map<string, number>();

  append(source: string, to: readonly string[], content: number): void {
    for (const backend of to) {
      const key = `${backend}/${source}`;
      const sequence = this.#next.get(key) ?? 0;
      this.#next.set(key, sequence + 1);
      this.owed.get(backend)?.push({ stream: source, sequence, content });
    }
  }

  /** What comes before its turn in its stream stays. */
  acknowledge(backend: string, { stream, sequence, count }: DueEntry): void {
    const owed = this.owed.get(backend) ?? [];
    if (owed.find((one) => one.stream === stream)?.sequence !== sequence) return;
    const later = ({ stream: name, sequence: number }: Owed): boolean =>
      name !== stream || number >= sequence + count;
    this.owed.set(backend, owed.filter(later));
  }
}

/** The observations of a run, whose records have four octets each. */
function owedOf({ stream, sequence, count, records }: DueEntry): readonly Owed[] {
  const view = new DataView(records.buffer, records.byteOffset, records.length);
  return Array.from({ length: count }, (_, place) => {
    return { stream, sequence: sequence + place, content: view.getUint32(4 * place) };
  });
}

function contentBytes(content: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, content);
  return bytes;
}

/** By stream: between streams a run may come before what was appended ahead of its end. */
function sorted(owed: readonly Owed[]): readonly Owed[] {
  return owed.toSorted((a, b) => a.stream.localeCompare(b.stream));
}

/** Drives store and model alike; appends run together until something else comes. */
class Run {
  readonly #directory: string;
  readonly #model = new Model();
  readonly #ids = new Map<string, number>();
  #store: Store;
  #pending: Promise<void>[] = [];
  #content = 0;

  constructor(directory: string, store: Store) {
    this.#directory = directory;
    this.#store = store;
  }

  async step(step: Step): Promise<void> {
    if (step.kind === 'append') {
      this.#append(step.source, step.to);
      return;
    }
    await this.#settle();
    if (step.kind === 'acknowledge') {
      await this.#acknowledge(step.backend, step.picks);
      return;
    }
    await this.#store.close();
    this.#store = await openStore({ directory: this.#directory });
  }

  async finish(): Promise<void> {
    await this.#settle();
    await this.#store.close();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #append(source: string, to: readonly string[]): void {
    const content = this.#content;
    this.#content += 1;
    this.#model.append(source, to, content);
    const records = contentBytes(content);
    const outputs = to.map((backend) => {
      return {
        backend,
        stream: source,
        class: 'measurement' as const,
        records,
        recordCount: 1,
        readings: 1,
      };
    });
    this.#pending.push(
      this.#store.append({ source, observation: records, readings: 1, takenMs: content, outputs }),
    );
  }

  async #acknowledge(backend: string, picks: readonly number[]): Promise<void> {
    const due = await this.#store.due(backend, 'measurement', 0, 1000);
    const picked = picks.map((index) => due[index]).filter((entry) => entry !== undefined);
    for (const entry of picked) this.#model.acknowledge(backend, entry);
    await this.#store.acknowledge(
      backend,
      picked.map(({ id }) => id),
    );
  }

  /** What is owed must be what the model says, under ids that only grow. */
  async #settle(): Promise<void> {
    await Promise.all(this.#pending);
    this.#pending = [];
    const { backends } = await this.#store.counts();
    for (const backend of BACKENDS) {
      const due = await this.#store.due(backend, 'measurement', 0, 1000);
      const owed = this.#model.owed.get(backend) ?? [];
      assert.deepEqual(sorted(due.flatMap(owedOf)), sorted(owed));
      assert.equal(backends[backend]?.queuedEntries ?? 0, due.length);
      assert.equal(backends[backend]?.queuedReadings ?? 0, owed.length);
      this.#assertIds(backend, due);
    }
  }

  /** Ids grow, and one that was given away is never given again: `afterId` misses nothing. */
  #assertIds(backend: string, due: readonly DueEntry[]): void {
    const mine = [...this.#ids].filter(([key]) => key.startsWith(`${backend}/`));
    let newest = Math.max(0, ...mine.map(([, id]) => id));
    for (const { id, stream, sequence } of due) {
      const key = `${backend}/${stream}/${sequence}`;
      const known = this.#ids.get(key);
      if (known === undefined) assert.ok(id > newest, 'a new entry has a greater id');
      else assert.equal(id, known);
      newest = Math.max(newest, id);
      this.#ids.set(key, id);
    }
    assert.equal(new Set(this.#ids.values()).size, this.#ids.size, 'each id once');
  }
}

test('the outbox of a back-end is an array, whatever is appended or acknowledged', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 40 }), async (walk) => {
      const directory = mkdtempSync(join(tmpdir(), 'normd-outbox-'));
      const run = new Run(directory, await openStore({ directory }));
      try {
        for (const step of walk) await run.step(step);
        await run.finish();
      } finally {
        await run.close();
        rmSync(directory, { recursive: true });
      }
    }),
    { numRuns: runsOf(25) },
  );
});
