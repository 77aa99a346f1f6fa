/**
 * A gateway's steady load on its store: `steady.ts DIRECTORY SECONDS PER_SECOND BACKEND DELAY_MS
 * STREAMS`, where commits wait for others so long. Each message goes to one back-end, which
 * acknowledges at once if it is `online`, and never if it is `away`. Writes the marks `begin` and,
 * when the file is closed and all is in its place, `end N` with the octets of all messages.
 */
import { writeSync } from 'node:fs';
import { argv } from 'node:process';
import type { Observation } from '#reading/reading.ts';
import { encodeRecords } from '#reading/senml.ts';
import { encodeStored } from '#reading/stored.ts';
import { openStore } from '#store/open.ts';
import { seeded } from '../support/seeded.ts';

const BACKEND = 'utility';
const PAGE = 100;
/** They make a message of some 190 octets. */
const OBJECTS = ['1.8.0', '2.8.0', '32.7.0', '52.7.0', '72.7.0', '12.7.0'];

const [
  directory = '',
  seconds = '10',
  perSecond = '100',
  backend = 'online',
  delayMs = '10',
  streams = '1',
] = argv.slice(2);
const store = await openStore({ directory, commitDelayMs: Number(delayMs) });
const entropy = seeded(1);
const messages = Number(seconds) * Number(perSecond);
let messageBytes = 0;
let afterId = 0;
const kept: Promise<void>[] = [];
let acknowledging = Promise.resolve();

if (backend === 'online') {
  store.onDue(BACKEND, () => {
    acknowledging = acknowledging.then(acknowledgeAll);
  });
}
writeSync(1, 'begin\n');
await appendSteadily();
await Promise.all(kept);
await acknowledging;
await store.close();
writeSync(1, `end ${messageBytes}\n`);

function appendSteadily(): Promise<void> {
  const start = performance.now();
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = ((performance.now() - start) * Number(perSecond)) / 1000;
      while (kept.length < Math.min(messages, due)) kept.push(append());
      if (kept.length < messages) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
}

function append(): Promise<void> {
  const now = Date.now();
  const source = `meter${kept.length % Number(streams)}`;
  const observation = observationAt(now, source);
  const { records, recordCount } = encodeRecords(observation);
  messageBytes += records.length;
  const readings = recordCount;
  const output = { backend: BACKEND, stream: source, records, recordCount, readings };
  return store.append({
    source,
    observation: encodeStored(observation),
    readings,
    takenMs: now,
    outputs: [{ ...output, class: 'measurement' }],
  });
}

/** What a meter says changes in its lower digits. */
function observationAt(ms: number, source: string): Observation {
  const second = Math.floor(ms / 1000);
  return {
    source,
    time: { second, nanosecond: (ms % 1000) * 1e6, clock: 'gateway', trust: 'trusted' },
    quality: [],
    readings: OBJECTS.map((object, index) => {
      const raw = 1_000_000 * (index + 1) + Math.floor(entropy.fraction() * 65_536);
      return { object: `1-0:${object}`, raw, scaler: -3, unit: index < 2 ? 'Wh' : 'V' };
    }),
  };
}

async function acknowledgeAll(): Promise<void> {
  const due = await store.due(BACKEND, 'measurement', afterId, PAGE);
  afterId = due.at(-1)?.id ?? afterId;
  if (due.length === 0) return;
  await store.acknowledge(
    BACKEND,
    due.map(({ id }) => id),
  );
}
