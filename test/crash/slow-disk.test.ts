import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutMosquitto } from '../support/mosquitto.ts';
import { withoutCompiler } from './recorder.ts';
import { runOnSlowDisk } from './slow-disk.ts';

/** Longer than any scheduler keeps a process waiting, so that a blocked loop stands out. */
const SYNC_MS = 300;
const FRAMES = 150;
const FRAME_MS = 20;
/** What a PMU sends in the second in which its daemon is stopped. */
const UNREAD_FRAMES = 50;

const skip = withoutCompiler || withoutMosquitto;

test('a slow disk blocks nothing, and costs a PMU no frame', { skip }, async (context) => {
  const { delaysMs, sent, keptMs, refused } = await runOnSlowDisk(SYNC_MS, FRAMES);
  const [first = NaN] = keptMs;
  const steps = keptMs.map((ms, index) => ms - first - index * FRAME_MS);
  assert.ok(
    steps.every((step) => Math.abs(step) < 1),
    'each frame, and in order',
  );
  assert.equal(refused, 0);
  assert.ok(keptMs.length >= sent - UNREAD_FRAMES, `${keptMs.length} kept of ${sent}`);
  const longest = delaysMs.at(-1) ?? NaN;
  assert.ok(longest < SYNC_MS, `the loop stood still for ${longest} ms`);
  context.diagnostic(
    `${keptMs.length} frames; the loop was late by ${longest.toFixed(1)} ms at most`,
  );
});
