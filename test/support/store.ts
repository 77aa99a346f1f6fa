import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { type StoreOptions, openStore } from '#store/open.ts';
import type { Append, Store } from '#store/store.ts';
import { machineClock } from '#system/clock.ts';

/** A directory that is not there yet; it is removed after the test. */
export function folder(context: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'normd-store-'));
  context.after(() => rmSync(made, { recursive: true, force: true }));
  return join(made, 'state');
}

/** A store that is closed at the test's end at the latest. */
export async function opened(context: TestContext, options: StoreOptions): Promise<Store> {
  const store = await openStore(options);
  context.after(() => store.close());
  return store;
}

/** Observation `number` of `source`, taken in its second, owed to each of `backends`. */
export function observation(
  number: number,
  source: string,
  backends: readonly string[],
  size = 2,
): Append {
  const bytes = size > 1000 ? incompressible(size, number) : new Uint8Array(size);
  bytes.set([number >> 8, number & 0xff]);
  return {
    source,
    observation: bytes,
    readings: 2,
    takenMs: 1_800_000_000_000 + number * 1000,
    outputs: backends.map((backend) => {
      return {
        backend,
        stream: source,
        class: 'measurement',
        records: bytes,
        recordCount: 1,
        readings: 1,
      };
    }),
  };
}

/** Noise that is the same in each run. */
function incompressible(size: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed + 0x9e3779b9;
  for (const index of words.keys()) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

export function numberOf(bytes: Uint8Array): number {
  return ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => failureOf(error).code,
  );
}

export function atSecond(second: number): Pick<StoreOptions, 'clock'> {
  const wall = { second, nanosecond: 0, clock: 'gateway', trust: 'trusted' } as const;
  return { clock: { ...machineClock, wall: () => wall } };
}
