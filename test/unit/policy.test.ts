import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { REMEMBERED_MAX } from '#policy/deadband.ts';
import { PATTERN_LENGTH_MAX } from '#policy/pattern.ts';
import { policyOf } from '#policy/policy.ts';
import { type Deadband, RULES_MAX, type Rule } from '#policy/rule.ts';
import type { Observation, RawValue, Reading } from '#reading/reading.ts';

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
  const projections = policyOf(rules, ['utility', 'grid']).project(observation(source), 0);
  return Object.fromEntries(
    projections.map(({ backend, observation: { readings } }) => [
      backend,
      readings.map(({ object }) => object),
    ]),
  );
}

test('without a rule nothing leaves', () => {
  assert.deepEqual(policyOf([], ['utility']).project(observation(), 0), []);
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
  const marked = { ...observation(), quality: ['test'] as const };
  const [projection] = policyOf([BILLING], ['utility']).project(marked, 0);
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
    [{ deadband: [{ objects: ['*'], maxSeconds: 1 }] }, 'rules[1].deadband[0]'],
    [{ deadband: [{ objects: [], absolute: 1, maxSeconds: 1 }] }, 'rules[1].deadband[0].objects'],
    [
      { deadband: [{ objects: ['*'], absolute: NaN, maxSeconds: 1 }] },
      'rules[1].deadband[0].absolute',
    ],
    [
      { deadband: [{ objects: ['*'], percent: 101, maxSeconds: 1 }] },
      'rules[1].deadband[0].percent',
    ],
    [
      { deadband: [{ objects: ['*'], absolute: 1, maxSeconds: Infinity }] },
      'rules[1].deadband[0].maxSeconds',
    ],
  ] as const) {
    assert.throws(
      () => policyOf([BILLING, { ...BILLING, ...change }], ['utility']),
      (error) => failureOf(error).code === 'bad-policy' && failureOf(error).field === field,
    );
  }
});

/** A source of one object, and what of it is sent under `deadband`. */
class Held {
  readonly #policy;
  #second = TIME.second;
  #nowMs = 0;

  constructor(deadband: Partial<Deadband>, ...more: readonly Rule[]) {
    const rule = { ...BILLING, objects: ['*'] };
    const band = { objects: ['*'], maxSeconds: 60, ...deadband };
    this.#policy = policyOf([{ ...rule, deadband: [band] }, ...more], ['utility']);
  }

  /** Whether a reading is sent that comes a second after the one before, or as told. */
  sends(raw: RawValue, change: Partial<Reading> = {}, more: Partial<Observation> = {}): boolean {
    this.#second += 1;
    this.#nowMs += 1000;
    const reading = { object: '1-0:32.7.0*255', raw, scaler: 0, unit: 'V', ...change };
    const time = { ...TIME, second: this.#second };
    const given = { source: 'meter1', time, quality: [], readings: [reading], ...more };
    return this.#policy.project(given, this.#nowMs).length > 0;
  }

  get heldBack(): number {
    return this.#policy.heldBack('utility');
  }

  wait(ms: number): void {
    this.#nowMs += ms;
  }

  turnBack(seconds: number): void {
    this.#second -= seconds;
  }

  forget(): void {
    this.#policy.forget('meter1');
  }
}

test('a value is held back while it is within the band of the last one sent', () => {
  const held = new Held({ absolute: 0.3 });
  const volts = (raw: number): boolean => held.sends(raw, { scaler: -1 });
  assert.deepEqual([2300, 2303, 2297, 2304].map(volts), [true, false, false, true]);
  assert.deepEqual([2306, 2307, 2308].map(volts), [false, false, true], 'a creeping value too');
  assert.equal(held.sends(230.9), false, 'a float as the number that it is');
  assert.equal(held.heldBack, 5);
});

test('a band in per cent is that of the value sent last, and of zero it is nothing', () => {
  const held = new Held({ percent: 10 });
  const sent = [100, 110, 90, 89, 97, 98, 0, 1, -1].map((raw) => held.sends(raw));
  assert.deepEqual(sent, [true, false, false, true, false, true, true, true, true]);
  const wider = new Held({ percent: 10, absolute: 2 });
  const near = [0, 1, -2, 3, 100, 109, 98.5].map((raw) => wider.sends(raw));
  assert.deepEqual(near, [true, false, false, true, true, false, false], 'the wider counts');
});

test('a band of nothing lets every change through and no repetition', () => {
  const held = new Held({ absolute: 0 });
  const sent = [0.1, 0.1, 0.2, -0, 0].map((raw) => held.sends(raw));
  assert.deepEqual(sent, [true, false, true, true, false]);
});

test('after the longest silence a value is sent whatever it is', () => {
  const held = new Held({ absolute: 1, maxSeconds: 60 });
  assert.equal(held.sends(1), true);
  held.wait(58_000);
  assert.equal(held.sends(1), false);
  assert.equal(held.sends(1), true);
  assert.equal(held.sends(1), false, 'and the silence begins anew');
});

test('another quality, unit or clock passes, and so does its end', () => {
  const held = new Held({ absolute: 1 });
  const changes: [Partial<Reading>, Partial<Observation>][] = [
    [{ quality: ['invalid'] }, {}],
    [{}, { quality: ['questionable'] }],
    [{}, { time: { ...TIME, second: TIME.second + 100, trust: 'unknown' } }],
    [{ unit: 'kV' }, { time: { ...TIME, second: TIME.second + 101 } }],
  ];
  assert.equal(held.sends(1), true);
  for (const [reading, observed] of changes) {
    assert.equal(held.sends(1, reading, observed), true);
    assert.equal(held.sends(1, reading, observed), false);
  }
});

test('what is no number is held back only while it is the same, and never when it is long', () => {
  const held = new Held({ absolute: 1e12, percent: 100 });
  const octets = Uint8Array.of(1);
  const long = 'x'.repeat(257);
  const values = [NaN, NaN, 5, NaN, Infinity, -Infinity, 'a', 'a', 'b', '5', 5, true, true, false];
  const sent = [...values, octets, Uint8Array.of(1), Uint8Array.of(2), long, long];
  assert.deepEqual(
    sent.map((raw) => held.sends(raw)),
    [
      ...[true, false, true, true, true, true, true, false, true, true, true, true, false, true],
      ...[true, false, true, true, true],
    ],
  );
});

test('integers beyond the floating point are compared to the last digit', () => {
  const held = new Held({ absolute: 1 });
  const top = 2n ** 64n - 3n;
  const sent = [top, top + 1n, top + 2n, -top, -top - 1n].map((raw) => held.sends(raw));
  assert.deepEqual(sent, [true, false, true, true, false]);
  assert.equal(held.sends(1, { scaler: 30 }), true);
  assert.equal(held.sends(10n ** 19n, { scaler: 11 }), false, 'the same number, written otherwise');
  assert.equal(held.sends(1, { scaler: 1_000_000 }), true, 'no number to reckon with');
  assert.equal(held.sends(5e-324), true);
  assert.equal(held.sends(Number.MAX_VALUE), true);
});

test('where time goes back a value passes, and the next one, too', () => {
  const held = new Held({ absolute: 10 });
  assert.deepEqual([held.sends(1), held.sends(1)], [true, false]);
  held.turnBack(2);
  assert.deepEqual(
    [1, 1, 1].map((raw) => held.sends(raw)),
    [true, true, false],
  );
});

test('after a refusal of the store the next value passes', () => {
  const held = new Held({ absolute: 10 });
  assert.deepEqual([held.sends(1), held.sends(1)], [true, false]);
  held.forget();
  assert.deepEqual([held.sends(1), held.sends(1)], [true, false]);
});

test('what a rule names without a deadband, or as urgent, is sent always', () => {
  const rule = { ...BILLING, objects: ['1-0:32.*'] };
  const band = [{ objects: ['*'], absolute: 5, maxSeconds: 60 }];
  const again = (...more: readonly Rule[]): boolean => {
    const held = new Held({ absolute: 10 }, ...more);
    held.sends(1);
    return held.sends(7);
  };
  assert.equal(again(), false);
  assert.equal(again(rule), true, 'another rule wants every value');
  assert.equal(again({ ...rule, deadband: band }), true, 'the narrower of two rules counts');
  assert.equal(again({ ...rule, objects: ['1-0:1.8.0*255'] }), false);
  assert.equal(again({ ...rule, class: 'alarm', deadband: band }), true);
  assert.equal(again({ ...rule, class: 'command', deadband: band }), true);
});

test('of the deadbands of a rule the first that names an object counts', () => {
  const deadband = [
    { objects: ['1-0:1.*'], absolute: 5, maxSeconds: 60 },
    { objects: ['1-0:*'], absolute: 0, maxSeconds: 60 },
  ];
  const policy = policyOf([{ ...BILLING, objects: ['*'], deadband }], ['utility']);
  const sent = [0, 3].map((change) => {
    const readings = observation().readings.map((reading) => ({ ...reading, raw: change }));
    const [projection] = policy.project({ ...observation(), readings }, 0);
    return projection?.observation.readings.map(({ object }) => object);
  });
  assert.deepEqual(sent, [OBJECTS, OBJECTS.slice(1)]);
});

test('of more objects than are remembered each one passes, and none is lost', () => {
  const deadband = [{ objects: ['*'], absolute: 5, maxSeconds: 60 }];
  const policy = policyOf([{ ...BILLING, objects: ['*'], deadband }], ['utility']);
  const sent = (count: number): number => {
    const readings = Array.from({ length: count }, (_, at) => {
      return { object: `channel/${at}`, raw: 1, scaler: 0, unit: '' };
    });
    const [projection] = policy.project({ ...observation(), readings }, 0);
    return projection?.observation.readings.length ?? 0;
  };
  assert.equal(sent(REMEMBERED_MAX), REMEMBERED_MAX);
  assert.equal(sent(REMEMBERED_MAX), 0);
  assert.equal(sent(REMEMBERED_MAX + 1), 1);
});
