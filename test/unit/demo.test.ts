import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { BackendStatus, GatewayStatus, SourceStatus } from '#control/status.ts';
import { screenPrinter } from '#sim/demo-screen.ts';
import type { Extent } from '#sim/demo-screen.ts';
import { screenOf } from '#sim/demo-view.ts';

const source = (name: string): SourceStatus => ({
  name,
  protocol: 'dlms-push',
  link: { state: 'up', peer: '127.0.0.1:41131' },
  taken: 123_456,
  stored: 123_456,
  refused: 0,
  discarded: 0,
  lastReadings: Array.from({ length: 8 }, (_, index) => ({
    object: `7/phasor/${index}/magnitude`,
    value: -63_499.9987912345,
    unit: 'V',
    time: '2026-11-21T08:19:40.24Z',
    quality: [],
  })),
});

const BACKEND: BackendStatus = {
  name: 'utility',
  state: 'online',
  queued: 1234,
  sent: 370_368,
  acknowledged: 369_134,
  streams: ['meter', 'p1', 'pmu'].map((stream) => ({ stream, sent: 456, acknowledged: 123_456 })),
  refusedStreams: {},
  lanes: [],
  latencyMs: { p50: 13.4, p99: 1116.2 },
  traffic: { bytesRead: 1, bytesWritten: 2, bytesToday: 3, days: [], bytesPerReading: null },
  heldBack: 0,
  events: { waiting: 0, sent: 0, dropped: 0 },
  outbox: { entries: 1, bytes: 1, quarantined: 0, gaps: {} },
};

const STATUS: GatewayStatus = {
  version: '0.1.0',
  gateway: 'demo',
  startedAt: '2026-11-21T08:00:00Z',
  clock: { time: '2026-11-21T08:19:40.24Z', trust: 'trusted' },
  sources: ['meter', 'p1', 'pmu'].map(source),
  backends: [BACKEND],
};
const NEXT = [
  'What to do next, told at such a length that it needs more than one line of 80.',
  'b',
];

const layout = (extent: Extent): readonly string[] => screenOf(STATUS, NEXT, extent);

/** What a terminal of this size is sent, refresh by refresh. */
function sentTo(term: string, columns: number, rows: number, refreshes: number): string[] {
  const sent: string[] = [];
  const output = { isTTY: true, columns, rows, write: (text: string) => sent.push(text) };
  const print = screenPrinter(output, term);
  for (let count = 0; count < refreshes; count += 1) print(layout);
  return sent;
}

test('the live table fits any terminal, and shows what has been acknowledged on each', () => {
  for (const [columns, rows] of [
    [80, 23],
    [60, 23],
    [50, 20],
    [132, 50],
  ] as const) {
    const lines = layout({ columns, rows });
    assert.ok(lines.length <= rows, `${lines.length} lines in ${rows} rows`);
    for (const line of lines) assert.match(line, new RegExp(`^[ -~]{0,${columns}}$`));
    assert.match(lines.join('\n'), /\backnowledged\n(.* 123456\n){3}/);
    assert.match(lines.join(' '), /1234 queued, .* told at such a length that it needs more/);
  }
});

test('the live table is drawn in place where the terminal can, however it is resized', () => {
  for (const [columns, rows] of [
    [80, 24],
    [60, 22],
  ] as const) {
    const sent = sentTo('tmux-256color', columns, rows, 3);
    assert.equal(sent.length, 3);
    for (const screen of sent) {
      const lines = stripVTControlCharacters(screen).split('\n');
      assert.ok(lines.length <= rows, 'the cursor stays on the screen, so nothing scrolls');
      assert.ok(lines.every((line) => line.length <= columns));
      assert.ok(screen.includes('\x1b[H'), 'each begins at the top');
    }
  }
});

test('a vt100, a serial line without a size and a small window get plain lines, less often', () => {
  for (const [term, columns, rows] of [
    ['vt100', 80, 24],
    ['vt100', 0, 0],
    ['xterm', 0, 0],
    ['xterm', 80, 6],
    ['', 80, 24],
  ] as const) {
    const sent = sentTo(term, columns, rows, 6);
    assert.equal(sent.length, 2, `${term} ${columns} ${rows}`);
    assert.match(sent.join(''), /^[ -~\n]+$/);
  }
});
