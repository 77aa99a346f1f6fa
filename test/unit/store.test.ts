import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type StoreOptions, openStore } from '#store/open.ts';
import type { Append } from '#store/store.ts';

function folder(context: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'normd-store-'));
  context.after(() => rmSync(made, { recursive: true, force: true }));
  return join(made, 'state');
}

/** Observation `number` of `source`, owed to each of `backends` under the source's name. */
function observation(number: number, source: string, backends: readonly string[]): Append {
  const bytes = Uint8Array.of(number >> 8, number & 0xff);
  return {
    source,
    observation: bytes,
    readings: 2,
    takenMs: 1_800_000_000_000 + number * 1000,
    outputs: backends.map((backend) => {
      return { backend, stream: source, records: bytes, recordCount: 1, readings: 1 };
    }),
  };
}

test('order and numbers survive a restart, and the acknowledgement of everything', async (context) => {
  const options: StoreOptions = { directory: folder(context) };
  const first = await openStore(options);
  for (let number = 0; number < 10; number += 1) {
    await first.append(observation(number, number % 2 === 0 ? 'even' : 'odd', ['utility']));
  }
  const due = await first.due('utility', 0, 100);
  assert.deepEqual(
    due.map(({ stream, sequence, records }) => [stream, sequence, records[1]]),
    Array.from({ length: 10 }, (_, number) => [
      number % 2 === 0 ? 'even' : 'odd',
      number >> 1,
      number,
    ]),
  );
  await first.acknowledge(
    'utility',
    due.map(({ id }) => id),
  );
  await first.close();

  const second = await openStore(options);
  assert.equal(second.opening.epoch, first.opening.epoch);
  assert.deepEqual(await second.due('utility', 0, 100), []);
  await second.append(observation(10, 'even', ['utility']));
  const [next] = await second.due('utility', due.at(-1)?.id ?? 0, 100);
  assert.equal(next?.sequence, 5);
  await second.close();
});
