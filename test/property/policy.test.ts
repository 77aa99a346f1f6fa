import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { policyOf } from '#policy/policy.ts';
import type { Deadband, Rule } from '#policy/rule.ts';
import { QUALITIES, type Observation, type Quality, type Reading } from '#reading/reading.ts';
import { runsOf } from '../support/fuzz.ts';

const RULE = { to: 'utility', purpose: 'p', sources: ['m'], objects: ['*'] };
/** Values as whole thousandths, bands as whole thousandths and per mille: exact by themselves. */
const SCALE = 3;

interface Step {
  readonly value: bigint | 'NaN' | 'text';
  readonly quality: readonly Quality[];
  readonly pauseMs: number;
}

const around = (middle: bigint): fc.Arbitrary<bigint> =>
  fc.bigInt({ min: -50n, max: 50n }).map((offset) => middle + offset);
const value = fc.oneof(
  { weight: 6, arbitrary: around(1000n) },
  { weight: 2, arbitrary: around(0n) },
  { weight: 2, arbitrary: around(2n ** 63n) },
  { weight: 1, arbitrary: fc.constantFrom('NaN' as const, 'text' as const) },
);
const step: fc.Arbitrary<Step> = fc.record({
  value,
  quality: fc.oneof(
    { weight: 9, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.subarray([...QUALITIES], { maxLength: 2 }) },
  ),
  pauseMs: fc.integer({ min: 0, max: 4000 }),
});
interface Width {
  readonly thousandths?: number | undefined;
  readonly perMille?: number | undefined;
  readonly maxSeconds: number;
}

const widths = fc.record(
  {
    thousandths: fc.integer({ min: 0, max: 60 }),
    perMille: fc.integer({ min: 0, max: 50 }),
    maxSeconds: fc.integer({ min: 1, max: 30 }),
  },
  { requiredKeys: ['thousandths', 'maxSeconds'] },
);

function deadbandOf({ thousandths, perMille, maxSeconds }: Width): Deadband {
  return {
    objects: ['*'],
    maxSeconds,
    ...(thousandths === undefined ? {} : { absolute: thousandths / 1000 }),
    ...(perMille === undefined ? {} : { percent: perMille / 10 }),
  };
}

function readingOf({ value: given }: Step): Reading {
  const raw = given === 'NaN' ? NaN : given;
  return { object: 'o', raw, scaler: typeof given === 'bigint' ? -SCALE : 0, unit: 'V' };
}

/** Whether who holds `last` knows `now` as exactly as `width` says. */
function isKnown(last: Step, now: Step, { thousandths = 0, perMille = 0 }: Width): boolean {
  if (last.quality.join() !== now.quality.join()) return false;
  if (typeof last.value !== 'bigint' || typeof now.value !== 'bigint') {
    return last.value === now.value;
  }
  const size = (number: bigint): bigint => (number < 0n ? -number : number);
  const change = size(now.value - last.value);
  return change <= thousandths || change * 1000n <= size(last.value) * BigInt(perMille);
}

/** What a back-end holds of a source under these bands, step by step. */
function live(steps: readonly Step[], bands: readonly Width[], check: (held: Held) => void): void {
  const rules = bands.map((width): Rule => ({ ...RULE, deadband: [deadbandOf(width)] }));
  const policy = policyOf(rules, ['utility']);
  let held: Omit<Held, 'now' | 'silentMs'> | undefined;
  let nowMs = 0;
  for (const now of steps) {
    nowMs += now.pauseMs;
    const second = 1_800_000_000 + Math.floor(nowMs / 1000);
    const time = { second, nanosecond: 0, clock: 'device', trust: 'trusted' } as const;
    const readings = [readingOf(now)];
    const observation: Observation = { source: 'm', time, quality: now.quality, readings };
    const projections = policy.project(observation, nowMs);
    if (projections.length > 0) {
      assert.deepEqual(projections[0]?.observation, observation, 'what is sent is not altered');
      held = { last: now, sinceMs: nowMs };
    }
    assert.ok(held !== undefined, 'the first value is sent');
    check({ ...held, now, silentMs: nowMs - held.sinceMs });
  }
}

interface Held {
  readonly last: Step;
  readonly sinceMs: number;
  readonly now: Step;
  readonly silentMs: number;
}

test('who holds the last value sent knows every value within the band, at every instant', () => {
  const steps = fc.array(step, { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(steps, fc.array(widths, { minLength: 1, maxLength: 2 }), (given, bands) => {
      live(given, bands, ({ last, now, silentMs }) => {
        for (const width of bands) {
          assert.ok(last === now || isKnown(last, now, width), 'within the band');
          assert.ok(last === now || silentMs < width.maxSeconds * 1000, 'not silent too long');
        }
      });
    }),
    { numRuns: runsOf(300) },
  );
});

test('a value is not sent that each band covers and that is not overdue', () => {
  const steps = fc.array(step, { minLength: 2, maxLength: 60 });
  fc.assert(
    fc.property(steps, widths, (given, width) => {
      let before: Held | undefined;
      live(given, [width], (held) => {
        const { last, now, sinceMs } = held;
        if (last === now && before !== undefined) {
          const overdue = sinceMs - before.sinceMs >= width.maxSeconds * 1000;
          assert.ok(overdue || !isKnown(before.last, now, width), 'it was sent for nothing');
        }
        before = held;
      });
    }),
    { numRuns: runsOf(300) },
  );
});
