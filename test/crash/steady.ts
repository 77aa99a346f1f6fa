/**
 * A gateway's steady load on its store: `steady.ts DIRECTORY SECONDS PER_SECOND BACKEND`. Each
 * message goes to one back-end, which acknowledges at once if it is `online`, and never if it is
 * `away`. Writes the marks `begin` and `end N`, with the octets of all messages.
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

const [directory = '', seconds = '10', perSecond = '100', backend = 'online'] = argv.slice(2);
const store = await openStore({ directory });
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
writeSync(1, `end ${messageBytes}\n`);
await store.close();

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
  const observation = observationAt(now);
  const { records, recordCount } = encodeRecords(observation);
  messageBytes += records.length;
  const readings = recordCount;
  const output = { backend: BACKEND, stream: 'meter', records, recordCount, readings };
  return store.append({
    source: 'meter',
    observation: encodeStored(observation),
    readings,
    takenMs: now,
    outputs: [{ ...output, class: 'measurement' }],
  });
}

/** What a meter says changes in its lower digits. */
function observationAt(ms: number): Observation {
  const second = Math.floor(ms / 1000);
  return {
    source: 'meter',
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
