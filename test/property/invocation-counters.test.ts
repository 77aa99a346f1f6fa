import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { CounterLedger, counterName, openCounterLedger } from '#identity/counter-ledger.ts';
import { INVOCATION_COUNTER_MAX, InvocationCounter } from '#protocol/dlms/invocation-counter.ts';
import { seeded } from '../support/seeded.ts';

const NAMES = ['a', 'b', 'c'];

/** A disk that replaces whole files: what a power cut leaves is the old content or the new. */
class SimulatedDisk {
  content: string | undefined;
  readonly #fraction: () => number;
  #pending: { readonly content: string; readonly settle: (error?: Error) => void } | undefined;

  constructor(fraction: () => number) {
    this.#fraction = fraction;
  }

  readonly write = (content: string): Promise<void> => {
    assert.equal(this.#pending, undefined, 'one write at a time');
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => (error === undefined ? resolve() : reject(error));
      this.#pending = { content, settle };
    });
  };

  /** The write that is under way ends; now and then the disk is full. */
  sync(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined) return;
    if (this.#fraction() < 0.1) {
      if (this.#fraction() < 0.5) this.content = pending.content;
      pending.settle(new Error('ENOSPC'));
      return;
    }
    this.content = pending.content;
    pending.settle();
  }

  /** The power goes: what was being written is there, or not; nobody hears of it. */
  cut(): void {
    if (this.#pending !== undefined && this.#fraction() < 0.5) this.content = this.#pending.content;
    this.#pending = undefined;
  }
}

test('no invocation counter is ever used twice, wherever the power is cut', async () => {
  const entropy = seeded(41);
  const fraction = (): number => entropy.fraction();
  const below = (most: number): number => Math.floor(fraction() * most);
  const disk = new SimulatedDisk(fraction);
  const used = new Map(NAMES.map((name) => [name, -1]));
  let uses = 0;
  for (let life = 0; life < 400; life += 1) {
    const ledger = new CounterLedger(disk.content, disk.write);
    const counters = new Map(NAMES.map((name) => [name, new InvocationCounter()]));
    const use = (name: string): void => {
      const counter = counters.get(name);
      assert.ok(counter);
      for (let times = below(6); times > 0 && counter.remaining > 0; times -= 1) {
        const number = counter.next();
        assert.ok(number > (used.get(name) ?? -1), `${name} ${number} in life ${life}`);
        used.set(name, number);
        uses += 1;
      }
    };
    for (let step = below(12); step > 0; step -= 1) {
      const name = NAMES[below(NAMES.length)] ?? 'a';
      const count = 1 + below(8);
      const atLeast = fraction() < 0.2 ? below(2000) : 0;
      ledger.reserve(name, count, atLeast).then(
        (reservation) => counters.get(name)?.grant(reservation),
        () => undefined, // a full disk: those numbers are skipped
      );
      if (fraction() < 0.6) disk.sync();
      for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
      use(NAMES[below(NAMES.length)] ?? 'a');
    }
    disk.cut();
  }
  assert.ok(uses > 500, `${uses} uses`);
});

test('who asks at once gets numbers one behind the other, in one write or two', async () => {
  let writes = 0;
  const ledger = new CounterLedger(undefined, () => {
    writes += 1;
    return Promise.resolve();
  });
  const asked = Array.from({ length: 100 }, () => ledger.reserve('a', 10, 0));
  const reservations = await Promise.all(asked);
  assert.deepEqual(
    reservations.map(({ from }) => from),
    Array.from({ length: 100 }, (_, index) => index * 10),
  );
  assert.ok(writes <= 2, `${writes} writes`);
});

test('a counter of which nothing is known is not begun at a guess', async () => {
  const ledger = new CounterLedger(undefined, () => Promise.resolve());
  const codeOf = (attempt: Promise<unknown>): Promise<string> =>
    attempt.then(
      () => 'taken',
      (error: unknown) => failureOf(error).code,
    );
  assert.equal(await codeOf(ledger.reserve('a', 10)), 'counter-unknown');
  assert.deepEqual(await ledger.reserve('a', 10, 7000), { from: 7000, until: 7010 });
  assert.deepEqual(await ledger.reserve('a', 10), { from: 7010, until: 7020 });
  assert.deepEqual(await ledger.reserve('a', 10, 5), { from: 7020, until: 7030 }, 'never back');
  const nearly = INVOCATION_COUNTER_MAX - 3;
  const last = await ledger.reserve('a', 10, nearly);
  assert.deepEqual(last, { from: nearly, until: INVOCATION_COUNTER_MAX });
  assert.equal(await codeOf(ledger.reserve('a', 1)), 'counter-exhausted');
  const counter = new InvocationCounter();
  assert.throws(() => counter.next(), { code: 'counter-unreserved' });
  counter.grant(last);
  assert.deepEqual(
    [counter.next(), counter.next(), counter.next()],
    [nearly, nearly + 1, nearly + 2],
  );
  assert.throws(() => counter.next(), { code: 'counter-exhausted' });
});

test('the file of counters is its own, survives, and is refused when damaged', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'normd-counters-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'counters');
  const name = counterName(new Uint8Array(8), new Uint8Array(16));
  await openCounterLedger(path).reserve(name, 100, 0);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(await openCounterLedger(path).reserve(name, 1), { from: 100, until: 101 });
  const whole = readFileSync(path);
  for (let at = 0; at < whole.length; at += 1) {
    const bytes =
      at % 2 === 0 ? whole.subarray(0, at) : whole.map((byte, i) => (i === at ? byte ^ 1 : byte));
    if (bytes.length === whole.length - 1 || at === whole.length - 1) continue; // the last line end
    writeFileSync(path, bytes);
    assert.throws(() => openCounterLedger(path), { code: 'counter-file-damaged' }, `byte ${at}`);
  }
});
