import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startControl } from '#control/server.ts';
import type { BackendStatus, GatewayStatus } from '#control/status.ts';
import { EXIT } from '../../firmware-ts/cli/exit-codes.ts';
import { ASCII_LINES, endOf, envelope, runNormctl, startNormctl } from '../support/command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'normd-cli-status-'));
after(() => rmSync(folder, { recursive: true }));

const LANE = { class: 'measurement', deadlineMs: null, queued: 0, missedDeadlines: 0 } as const;

const STATUS: GatewayStatus = {
  version: '0.1.0',
  gateway: 'gw-0001',
  startedAt: '2026-11-21T04:00:00Z',
  clock: { time: '2026-11-21T05:00:00Z', trust: 'trusted' },
  sources: [
    {
      name: 'a-meter-with-a-name-that-is-rather-long-for-a-table',
      protocol: 'dlms-push',
      link: { state: 'up', peer: '/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00' },
      taken: 123_456_789,
      stored: 123_456_789,
      refused: 0,
      discarded: 12,
      lastReadings: Array.from({ length: 9 }, (_, index) => ({
        object: `1-0:${index}.8.0*255`,
        value: 60995.424,
        unit: 'kWh',
        time: '2026-11-21T04:59:59.120000012Z',
        quality: ['clock-unsynchronised', 'questionable'] as const,
      })),
    },
  ],
  backends: [
    {
      name: 'utility',
      state: 'online',
      queued: 3,
      sent: 10,
      acknowledged: 7,
      streams: [{ stream: 'm', sent: 10, acknowledged: 7 }],
      refusedStreams: {},
      lanes: [
        { ...LANE, class: 'command', deadlineMs: 2000 },
        { ...LANE, class: 'alarm', deadlineMs: 10_000, missedDeadlines: 4 },
        { ...LANE, deadlineMs: 300_000, queued: 2, oldestAgeMs: 61_000 },
        { ...LANE, class: 'bulk' },
      ],
      latencyMs: { p50: 1.5, p99: 12.25 },
      broker: 'mqtts://broker.example:8883',
      window: { messages: 3, messagesMax: 32 },
      traffic: {
        bytesRead: 100,
        bytesWritten: 8000,
        bytesToday: 900,
        days: [{ day: '2026-11-21', bytes: 900 }],
        bytesPerReading: 128.6,
      },
      heldBack: 17,
      events: { waiting: 0, sent: 0, dropped: 0 },
      outbox: {
        entries: 2,
        bytes: 4321,
        oldest: '2026-11-21T04:59:00Z',
        quarantined: 0,
        gaps: {},
      },
    },
  ],
};

async function withDaemon<Result>(
  status: GatewayStatus,
  work: (socket: string) => Promise<Result>,
): Promise<Result> {
  const socket = join(mkdtempSync(join(folder, 'run-')), 'control.sock');
  const answers = { '/v1/status': () => Promise.resolve(status) };
  const control = await startControl({ socket, answers });
  try {
    return await work(socket);
  } finally {
    await control.stop();
  }
}

test('status: a table within 80 columns for people, everything for programs', () =>
  withDaemon(STATUS, async (socket) => {
    const people = await runNormctl(['status', '--socket', socket]);
    assert.deepEqual([people.status, people.err], [EXIT.ok, '']);
    assert.match(people.out, ASCII_LINES);
    assert.ok(
      people.out.split('\n').every((line) => line.length <= 80),
      people.out,
    );
    for (const word of ['gw-0001', 'trusted', '60995.424', 'utility', 'online', 'and 3 more']) {
      assert.ok(people.out.includes(word), word);
    }
    assert.match(people.out, /\nutility +100 B +8\.0 kB +900 B +129 B +17\n/);
    const json = await runNormctl(['status', '--socket', socket, '--json']);
    assert.deepEqual(envelope(json.out), { normctl: 1, verb: 'status', ok: true, data: STATUS });
  }));

test('status: each class of each back-end of which something waits or was late', () => {
  const [utility] = STATUS.backends;
  assert.ok(utility);
  const lanes = [{ ...LANE, class: 'bulk' as const, queued: 123_456, oldestAgeMs: 90_000_000 }];
  const grid = { ...utility, name: 'grid-operator-of-the-south-western-region', lanes };
  const idle = { ...utility, name: 'idle', lanes: [LANE] };
  const told = async (backends: readonly BackendStatus[]): Promise<string> => {
    const status = { ...STATUS, backends };
    return withDaemon(status, async (socket) => {
      const { out } = await runNormctl(['status', '--socket', socket]);
      assert.ok(
        out.split('\n').every((line) => line.length <= 80),
        out,
      );
      return out.slice(out.search(/\nwaiting for|$/));
    });
  };
  return Promise.all([told([utility, grid, idle]), told([idle])]).then(([busy, nothing]) => {
    const rows = busy.trim().split('\n');
    assert.deepEqual(
      rows.map((row) => row.split(/ {2,}/)),
      [
        ['waiting for', 'class', 'deadline', 'entries', 'oldest', 'late'],
        ['utility', 'alarm', '10 s', '0', '-', '4'],
        ['utility', 'measurement', '5 min', '2', '1 min', '0'],
        ['grid-operator-of-the-south-weste..', 'bulk', '-', '123456', '1 d', '0'],
      ],
      busy,
    );
    assert.equal(nothing, '');
  });
});

test('status: what is down is a problem with its place, and status 1', () => {
  const [source] = STATUS.sources;
  const [backend] = STATUS.backends;
  assert.ok(source && backend);
  const failure = { code: 'connection-refused', message: 'refused', hint: 'is it on?' };
  const ill: GatewayStatus = {
    ...STATUS,
    sources: [{ ...source, refused: 3, link: { state: 'waiting', failure } }],
    backends: [{ ...backend, state: 'connecting', refusedStreams: { m: failure } }],
  };
  return withDaemon(ill, async (socket) => {
    const people = await runNormctl(['status', '--socket', socket]);
    assert.equal(people.status, EXIT.notGood);
    assert.match(people.out, /not good source a-meter.*connection-refused.*\n {2}try: is it on\?/);
    const {
      ok,
      data,
      problems = [],
    } = envelope((await runNormctl(['status', '--socket', socket, '--json'])).out);
    assert.deepEqual(
      [ok, data, problems.map(({ code }) => code)],
      [
        false,
        ill,
        ['connection-refused', 'store-refused', 'backend-connecting', 'connection-refused'],
      ],
    );
  });
});

test('status: the verdict comes first; what was set aside or dropped is a problem', () => {
  const [backend] = STATUS.backends;
  assert.ok(backend);
  const gaps = { age: 3, quarantined: 2 };
  const ill = { ...STATUS, backends: [{ ...backend, outbox: { ...backend.outbox, gaps } }] };
  return withDaemon(ill, async (socket) => {
    const { out } = await runNormctl(['status', '--socket', socket]);
    const [, , verdict] = out.split('\n');
    assert.match(verdict ?? '', /^not good back-end utility: gap-named: .* 3 \(age\)$/);
    assert.match(out, /\nutility +3 +2 +4\.3 kB +1 min +5 +0\n/);
  });
});

test('status: without a daemon it is status 3 and says how to go on', async () => {
  const socket = join(folder, 'nobody.sock');
  const people = await runNormctl(['status', '--socket', socket]);
  assert.deepEqual([people.status, people.out], [EXIT.unreachable, '']);
  assert.match(people.err, /^error daemon-not-running: .*\n {2}try: /);
  const json = await runNormctl(['status', '--socket', socket, '--json']);
  assert.deepEqual(
    [json.status, json.err, envelope(json.out).problems?.[0]?.code],
    [EXIT.unreachable, '', 'daemon-not-running'],
  );
});

test('status --watch goes on until it is interrupted', () =>
  withDaemon(STATUS, async (socket) => {
    const child = startNormctl(['status', '--socket', socket, '--watch', '--json']);
    const ended = endOf(child);
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    assert.equal((await ended).signal, 'SIGINT');
  }));
