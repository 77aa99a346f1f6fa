import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fromHex, toHex } from '#bytes/hex.ts';
import { octetsOfTrace } from '#bytes/trace.ts';
import { openLink } from '#link/open.ts';
import type { Step } from '#protocol/connection.ts';
import type { LockStepMessage } from '#protocol/lock-step.ts';
import { LockStep, turnsOf } from '#protocol/lock-step.ts';
import { meterDescriptionFrom } from '#sim/cosem/read-description.ts';
import { serve } from '#sim/cosem/serve.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { machineClock as clock } from '#system/clock.ts';
import { endOf, runNormctl, startNormctl } from '../support/command-line.ts';
import { PORTS } from '../support/simulated-meter.ts';

const folder = mkdtempSync(join(tmpdir(), 'normd-lock-step-'));
after(() => rmSync(folder, { recursive: true }));

const said = (dir: 'tx' | 'rx', hex: string, masked = false) => ({
  atMs: 0,
  dir,
  bytes: fromHex(hex),
  masked,
});
const TURNS = turnsOf([
  said('tx', '0102'),
  said('tx', '03'),
  said('rx', 'a1'),
  said('rx', 'a2'),
  said('tx', '0000', true),
  said('rx', 'a3'),
]);

/** `said 0`, `heard 1`, `heard 1 differs 2`, `over`, `no-answer`, and what goes out. */
function wordsOf({ send, events }: Step<LockStepMessage>): readonly string[] {
  const words = events.map((event) => {
    if (event.kind !== 'message') return event.failure.code;
    const { message } = event;
    if (message.kind === 'over') return 'over';
    const differs = 'differsAt' in message ? ` differs ${message.differsAt}` : '';
    return `${message.kind} ${message.turn}${differs}`;
  });
  return [...send.map(toHex), ...words];
}

test('each side of a conversation says its turn when the other has said its own', () => {
  const server = new LockStep(TURNS, 'server');
  assert.deepEqual(wordsOf(server.start(0)), []);
  assert.deepEqual(wordsOf(server.receive(fromHex('01'), 1)), []);
  const second = server.receive(fromHex('0203'), 2);
  assert.deepEqual(wordsOf(second), ['a1a2', 'heard 0', 'said 1']);
  const last = server.receive(fromHex('beef'), 3);
  assert.deepEqual(
    wordsOf(last),
    ['a3', 'heard 2', 'said 3', 'over'],
    'a password is not compared',
  );
  const client = new LockStep(TURNS, 'client');
  assert.deepEqual(wordsOf(client.start(0)), ['010203', 'said 0']);
  assert.deepEqual(wordsOf(client.receive(fromHex('a1a2'), 1)), ['0000', 'heard 1', 'said 2']);
  assert.deepEqual(wordsOf(client.receive(fromHex('a3'), 2)), ['heard 3', 'over']);
});

test('what is said otherwise is told with its octet, and the conversation goes on', () => {
  const client = new LockStep(TURNS, 'client');
  client.start(0);
  const differs = client.receive(fromHex('a1ff'), 1);
  assert.deepEqual(wordsOf(differs), ['0000', 'heard 1 differs 1', 'said 2']);
  assert.deepEqual(wordsOf(client.receive(fromHex('a3a4'), 2)), ['heard 3 differs 1', 'over']);
  const short = new LockStep(TURNS, 'client');
  short.start(0);
  short.receive(fromHex('a1'), 10);
  assert.deepEqual(wordsOf(short.expire(500)), []);
  const given = short.expire(short.deadline);
  assert.deepEqual(wordsOf(given), ['0000', 'heard 1 differs 1', 'said 2']);
  assert.deepEqual(wordsOf(short.expire(short.deadline)), ['no-answer']);
});

test('a recorded session is replayed as the meter and as the client, and read', async () => {
  const description = meterDescriptionFrom('associations: [{ client: 16, mechanism: lowest }]');
  const meter = new SimulatedMeter({ clock, description });
  const link = openLink({ kind: 'tcp-listen', port: 0 }, PORTS);
  await using meters = new AsyncDisposableStack();
  meters.defer(() => link.close());
  const connect = () => meter.connection('wrapper');
  const port = await serve({ link, connect, clock });
  const trace = join(folder, 'name.trace');
  const read = ['meter', 'read', '1/0-0:42.0.0/2', '--tcp'];
  const live = await runNormctl([...read, `127.0.0.1:${port}`, '--trace', trace]);
  assert.equal(live.status, 0, live.err);

  const asClient = await runNormctl(['meter', 'replay', trace, '--tcp', `127.0.0.1:${port}`]);
  assert.equal(asClient.status, 0, asClient.out);
  const turns = turnsOf(octetsOfTrace(readFileSync(trace, 'utf8')) ?? []).length;
  assert.equal(asClient.out.trim().split('\n').length, turns + 1);

  const decoded = await runNormctl(['decode', trace, '--json']);
  assert.equal(decoded.status, 0, decoded.out);
  const frames = decoded.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { frame: string; stream: string; value?: string });
  assert.deepEqual(
    frames.map(({ frame, stream }) => `${stream} ${frame}`),
    ['tx aarq', 'rx aare', 'tx get-request-normal', 'rx get-response-normal', 'tx rlrq', 'rx rlre'],
  );
  assert.equal(frames[3]?.value, '"NRM0000000000001"');

  const child = startNormctl(['sim', 'meter', '--replay', trace, '--tcp', '0', '--json']);
  const ended = endOf(child);
  const lines: string[] = [];
  const listening = new Promise<number>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      const told = JSON.parse(line) as { kind?: string; port?: number };
      if (told.kind === 'listening' && told.port !== undefined) resolve(told.port);
    });
  });
  const again = await runNormctl([...read, `127.0.0.1:${await listening}`]);
  child.kill('SIGINT');
  assert.equal((await ended).status, 0);
  assert.equal(again.out, live.out);
  assert.doesNotMatch(lines.join('\n'), /differs/);
  assert.match(lines.join('\n'), /"kind":"over"/);
});
