import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { PATTERN_LENGTH_MAX, RULES_MAX, type Rule, policyOf } from '#policy/policy.ts';
import type { Observation } from '#reading/reading.ts';

const TIME = { second: 1_800_000_000, nanosecond: 0, clock: 'device', trust: 'trusted' } as const;
const OBJECTS = ['1-0:1.8.0*255', '1-0:2.8.0*255', '1-0:32.7.0*255', '0-0:96.1.0*255'];

function observation(source = 'meter1'): Observation {
  const readings = OBJECTS.map((object) => ({ object, raw: 1, scaler: 0, unit: '' }));
  return { source, time: TIME, quality: [], readings };
}

const BILLING: Rule = {
  to: 'utility',
  purpose: 'billing',
  sources: ['meter1'],
  objects: ['1-0:1.8.*', '1-0:2.8.*'],
};

function objectsOf(rules: readonly Rule[], source?: string): Record<string, readonly string[]> {
  const projections = policyOf(rules, ['utility', 'grid'])(observation(source));
  return Object.fromEntries(
    projections.map(({ backend, observation: { readings } }) => [
      backend,
      readings.map(({ object }) => object),
    ]),
  );
}

test('without a rule nothing leaves', () => {
  assert.deepEqual(policyOf([], ['utility'])(observation()), []);
});

test('only the named objects of the named source leave, in their order', () => {
  assert.deepEqual(objectsOf([BILLING]), { utility: OBJECTS.slice(0, 2) });
  assert.deepEqual(objectsOf([BILLING], 'meter2'), {});
  assert.deepEqual(objectsOf([{ ...BILLING, sources: ['*'] }], 'meter2'), {
    utility: OBJECTS.slice(0, 2),
  });
});

test('rules for one back-end add up without repeating a reading, and do not reach another', () => {
  const voltage: Rule = {
    ...BILLING,
    purpose: 'quality of supply',
    objects: ['*:32.7.0*', '1-0:1.8.0*255'],
  };
  assert.deepEqual(objectsOf([BILLING, voltage, { ...voltage, to: 'grid', objects: ['*:32.*'] }]), {
    utility: OBJECTS.slice(0, 3),
    grid: [OBJECTS[2]],
  });
});

test('a star stands for any characters, and a pattern without one for itself alone', () => {
  const matches = (pattern: string): readonly string[] | undefined =>
    objectsOf([{ ...BILLING, objects: [pattern] }])['utility'];
  assert.deepEqual(matches('*'), OBJECTS);
  assert.deepEqual(matches('1-0:*.8.0*255'), OBJECTS.slice(0, 2));
  assert.deepEqual(matches('*255*255'), undefined, 'a star between needs both parts');
  assert.deepEqual(matches('1-0:1.8.0'), undefined);
  assert.deepEqual(matches('1-0:1x8x0*255'), undefined, 'a dot is a dot');
});

test('the projection keeps time and quality, and names the source as its stream', () => {
  const [projection] = policyOf([BILLING], ['utility'])({ ...observation(), quality: ['test'] });
  assert.equal(projection?.stream, 'meter1');
  assert.deepEqual(projection.observation.quality, ['test']);
  assert.equal(projection.observation.time, TIME);
});

test('more rules than a configuration may hold are refused', () => {
  const rules = Array.from({ length: RULES_MAX + 1 }, () => BILLING);
  assert.throws(
    () => policyOf(rules, ['utility']),
    (error) => failureOf(error).code === 'bad-policy' && failureOf(error).field === 'rules',
  );
});

test('a rule that cannot mean anything is refused with its field', () => {
  for (const [change, field] of [
    [{ to: 'utilty' }, 'rules[1].to'],
    [{ purpose: ' ' }, 'rules[1].purpose'],
    [{ sources: [] }, 'rules[1].sources'],
    [{ objects: [''] }, 'rules[1].objects'],
    [{ objects: ['x'.repeat(PATTERN_LENGTH_MAX + 1)] }, 'rules[1].objects'],
  ] as const) {
    assert.throws(
      () => policyOf([BILLING, { ...BILLING, ...change }], ['utility']),
      (error) => failureOf(error).code === 'bad-policy' && failureOf(error).field === field,
    );
  }
});
