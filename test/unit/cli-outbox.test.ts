import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseConfiguration } from '#config/load.ts';
import { startGateway } from '#gateway/gateway.ts';
import type { Gateway } from '#gateway/gateway.ts';
import type { Observation } from '#reading/reading.ts';
import { encodeRecords } from '#reading/senml.ts';
import { encodeStored } from '#reading/stored.ts';
import { openStore } from '#store/open.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { EXIT } from '../../firmware-ts/cli/exit-codes.ts';
import { printOutbox } from '../../firmware-ts/cli/outbox-view.ts';
import { runCommandLine } from '../../firmware-ts/cli/program.ts';
import type { Part } from '../../firmware-ts/cli/terminal.ts';
import { ASCII_LINES, envelope, runNormctl } from '../support/command-line.ts';

const TIME = { second: 1_795_219_200, nanosecond: 0, clock: 'device', trust: 'trusted' } as const;

let folder: string;
let socket: string;
let gateway: Gateway;
/** One that can be read, one whose records are none, and one to lose. */
let ids: readonly number[];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'normd-cli-outbox-'));
  socket = join(folder, 'control.sock');
  ids = await fillQuarantine(join(folder, 'state/store'));
  // Neither the meter nor the broker is there: what waits stays.
  const loaded = parseConfiguration(
    `gateway: gw-1
state: ${join(folder, 'state')}
control: { socket: ${socket} }
sources: [{ name: meter, protocol: p1, link: { kind: tcp, host: 127.0.0.1, port: 1 } }]
backends:
  - { name: utility, url: 'mqtt://127.0.0.1:1' }
  - { name: grid, url: 'mqtt://127.0.0.1:1' }
`,
    join(folder, 'normd.yaml'),
  );
  assert.ok('configuration' in loaded);
  gateway = await startGateway(loaded.configuration, {
    clock: machineClock,
    entropy: machineEntropy,
    log: () => undefined,
  });
});
after(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true });
});

async function fillQuarantine(directory: string): Promise<readonly number[]> {
  const store = await openStore({ directory, runCountMax: 1 });
  for (const number of [0, 1, 2, 3]) await store.append(appendOf(number));
  const due = await store.due('utility', 'measurement', 0, 10);
  const failure = { code: 'topic-refused', message: 'no such topic' };
  for (const { id } of due.slice(0, 3)) await store.quarantine('utility', id, failure);
  await store.close();
  return due.map(({ id }) => id);
}

function appendOf(number: number) {
  const reading = { object: '1-0:1.8.0*255', raw: 12_345 + number, scaler: -3, unit: 'kWh' };
  const observation: Observation = {
    source: 'meter',
    time: TIME,
    quality: [],
    readings: [reading],
  };
  const good = encodeRecords(observation);
  const output = number === 1 ? { ...good, records: Uint8Array.of(0xa1, 0xff) } : good;
  return {
    source: 'meter',
    observation: encodeStored(observation),
    readings: 1,
    takenMs: TIME.second * 1000,
    outputs: [
      {
        backend: 'utility',
        stream: 'meter',
        class: 'measurement' as const,
        readings: 1,
        ...output,
      },
    ],
  };
}

function outbox(...words: readonly string[]) {
  return runNormctl(['outbox', ...words, '--socket', socket]);
}

/** As somebody at a terminal, who answers so; `undefined`: nobody is there. */
async function asked(words: readonly string[], answer: string | undefined) {
  const lines: string[] = [];
  const print = (...parts: readonly unknown[]): void => void lines.push(parts.join(''));
  const status = await runCommandLine(['outbox', ...words, '--socket', socket], {
    columns: 80,
    out: print,
    err: print,
    drained: () => Promise.resolve(),
    ask: (question) => {
      lines.push(question);
      return Promise.resolve(answer);
    },
  });
  return { status, text: lines.join('\n') };
}

test('the list tells what waits, where streams stand, and what was set aside', async () => {
  const people = await outbox('list');
  assert.deepEqual([people.status, people.err], [EXIT.notGood, '']);
  assert.match(people.out, ASCII_LINES);
  assert.match(people.out, /^utility: 3 set aside\n {2}4 readings in 4 entries wait \(/);
  assert.match(people.out, /\n {2}meter gap 0-2: quarantined, named /);
  assert.match(people.out, /\ngrid: nothing is set aside\n {2}nothing waits\n/);
  assert.ok(
    people.out.split('\n').every((line) => line.length <= 80),
    people.out,
  );
  const json = envelope((await outbox('list', 'utility', '--json')).out);
  assert.deepEqual([json.ok, json.problems?.length], [false, 3]);
  const { backends } = json.data as { backends: readonly Record<string, unknown>[] };
  const [utility] = backends;
  assert.ok(utility);
  assert.deepEqual(
    [backends.length, utility['entries'], utility['readings'], utility['oldest']],
    [1, 4, 4, '2026-11-21T00:00:00Z'],
  );
  const [stream] = utility['streams'] as readonly Record<string, unknown>[];
  assert.deepEqual([stream?.['stream'], stream?.['through'], stream?.['next']], ['meter', 2, 4]);
  const good = await outbox('list', 'grid', '--json');
  assert.deepEqual([good.status, envelope(good.out).ok], [EXIT.ok, true]);
});

test('of more entries than are listed the rest is counted', () => {
  const lines: string[] = [];
  const print = (...parts: readonly Part[]): void => {
    lines.push(parts.map((part) => (typeof part === 'string' ? part : part.text)).join(''));
  };
  const terminal = {
    ...{ columns: 80, out: print, err: print },
    ...{ drained: () => Promise.resolve(), ask: () => Promise.resolve(undefined) },
  };
  const key = { id: 7, stream: 'm', epoch: 1, sequence: 0, count: 1, readings: 1, bytes: 9 };
  const why = { taken: '2026-11-21T00:00:00Z', code: 'topic-refused', message: 'no such topic' };
  const quarantined = [{ ...key, ...why }];
  const sizes = { entries: 3, readings: 3, bytes: 27, streams: [] };
  printOutbox(terminal, { name: 'utility', ...sizes, quarantined, quarantinedOmitted: 2 });
  assert.equal(lines[0], 'utility: 3 set aside');
  assert.deepEqual(lines.slice(-2), ['and 2 more', '  try: normctl outbox show utility ID']);
});

test('an entry is shown as a receiver would read it, or why it could not', async () => {
  const people = await outbox('show', 'utility', String(ids[0]));
  assert.deepEqual([people.status, people.err], [EXIT.ok, '']);
  assert.match(people.out, /^utility \d+: topic-refused: no such topic\n/);
  assert.match(people.out, /1-0:1\.8\.0\*255 +12\.345 +kWh +2026-11-21T00:00:00Z +good\n/);
  const unreadable = await outbox('show', 'utility', String(ids[1]), '--json');
  assert.equal(unreadable.status, EXIT.notGood);
  const { ok, data } = envelope(unreadable.out);
  const { entry, values } = data as { entry: Record<string, unknown>; values: readonly unknown[] };
  assert.deepEqual([ok, entry['id'], entry['sequence'], values], [false, ids[1], 1, []]);
});

test('what does not exist, and what is no name, is told apart', async () => {
  const due = String(ids[3]);
  for (const [words, status, code] of [
    [['show', 'utility', due], EXIT.notGood, 'unknown-entry'],
    [['resend', 'utility', due], EXIT.notGood, 'unknown-entry'],
    [['show', 'grid', String(ids[0])], EXIT.notGood, 'unknown-entry'],
    [['show', 'nobody', '1'], EXIT.usage, 'unknown-reference'],
    [['list', 'nobody'], EXIT.usage, 'unknown-reference'],
    [['show', 'utility', '1e3'], EXIT.usage, 'usage'],
    [['show', '../x', '1'], EXIT.usage, 'usage'],
  ] as const) {
    const { status: given, text } = await asked(words, undefined);
    assert.equal(given, status, words.join(' '));
    assert.match(text, new RegExp(`^error ${code}: `), words.join(' '));
  }
});

test('nothing is forgotten unless somebody says so', async () => {
  const [, , id = 0] = ids;
  const words = ['discard', 'utility', String(id)];
  for (const [more, answer, status, code] of [
    [[], undefined, EXIT.usage, 'confirmation-needed'],
    [['--no-input'], 'yes', EXIT.usage, 'confirmation-needed'],
    [[], '', EXIT.notGood, 'not-confirmed'],
    [[], 'no', EXIT.notGood, 'not-confirmed'],
  ] as const) {
    const refused = await asked([...words, ...more], answer);
    assert.equal(refused.status, status);
    assert.match(refused.text, new RegExp(`error ${code}: `));
  }
  const piped = await outbox(...words);
  assert.equal(piped.status, EXIT.usage, 'nobody sits at a pipe');
  assert.match(piped.err, /\n {2}try: add --yes\n$/);
  assert.equal((await gateway.status()).backends[0]?.outbox.quarantined, 3);
  const done = await asked(words, 'y');
  assert.equal(done.status, EXIT.ok);
  assert.equal((await gateway.status()).backends[0]?.outbox.quarantined, 2);
  const again = await asked([...words, '--yes'], undefined);
  assert.deepEqual([again.status, /unknown-entry/.test(again.text)], [EXIT.notGood, true]);
});

test('an entry that is sent again waits like any other', async () => {
  const [id = 0] = ids;
  const { status, out } = await outbox('resend', 'utility', String(id), '--json');
  assert.equal(status, EXIT.ok);
  assert.deepEqual(envelope(out).data, { backend: 'utility', id, done: 'resend' });
  const { backends } = await gateway.status();
  assert.equal(backends[0]?.outbox.quarantined, 1);
  assert.deepEqual(backends[0].outbox.gaps, {}, 'no gap was named since this start');
});
