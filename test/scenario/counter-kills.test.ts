import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { holdCounterLedger } from '#identity/counter-lock.ts';
import { ReservedCounters } from '#identity/reserved-counter.ts';
import { seeded } from '../support/seeded.ts';

const PROCESS = join(import.meta.dirname, '../support/counting-process.ts');
const KILLS = 12;

test('no invocation counter is used twice, whenever normd is killed', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'normd-counters-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'counters');
  const entropy = seeded(11);
  let last = 0;
  let used = 0;
  for (let kills = 0; kills < KILLS; kills += 1) {
    const child = spawn(process.execPath, [PROCESS, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const enough = 1 + Math.floor(entropy.fraction() * 20_000);
    let text = '';
    child.stdout.setEncoding('latin1').on('data', (piece: string) => {
      text += piece;
      if (text.length > enough) child.kill('SIGKILL');
    });
    await once(child, 'close');
    for (const line of text.split('\n').slice(0, -1)) {
      const number = Number(line);
      assert.ok(number > last, `${number} after ${last}, kill ${kills}`);
      last = number;
      used += 1;
    }
  }
  assert.ok(used > KILLS);
});

test('the counters are held by one process, and free when it has died', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'normd-counters-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'counters');
  const child = spawn(process.execPath, [PROCESS, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  await assert.rejects(holdCounterLedger(path), { code: 'counters-in-use' });
  await assert.rejects(holdCounterLedger(join(folder, '.', 'counters')), {
    code: 'counters-in-use',
  });
  child.kill('SIGKILL');
  await once(child, 'close');
  const { ledger, release } = await holdCounterLedger(path);
  assert.ok(new ReservedCounters(ledger).of(new Uint8Array(8), new Uint8Array(16)).isKnown);
  await release();
  await (await holdCounterLedger(path)).release();
});
