/** Takes numbers of one counter as fast as it can, and prints each once it is to be sent. */
import { writeSync } from 'node:fs';
import { holdCounterLedger } from '#identity/counter-lock.ts';
import { ReservedCounters } from '#identity/reserved-counter.ts';

const STDOUT = 1;
const [, , path = ''] = process.argv;
const { ledger } = await holdCounterLedger(path);
const counter = new ReservedCounters(ledger).of(new Uint8Array(8), new Uint8Array(16));
if (!counter.isKnown) await counter.raise(1);
for (;;) {
  await counter.provide();
  for (let times = 0; times < 300; times += 1) writeSync(STDOUT, `${counter.next()}\n`);
}
