import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { Diary } from '#sim/life/diary.ts';
import { live } from '#sim/life/life.ts';
import { Obligations } from '#sim/life/obligations.ts';
import type { LifeReport } from '#sim/life/report.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';

/** The nightly campaign lives many more, and longer. */
const LIVES = Number(process.env['NORMD_LIVES'] ?? '16');
const YEARS = Number(process.env['NORMD_LIFE_YEARS'] ?? '0.1');
const SEED = Number(process.env['NORMD_SEED'] ?? '1');
const KEPT = readFileSync(join(import.meta.dirname, '../simulate/seeds.txt'), 'utf8');

async function life(seed: number, years: number): Promise<LifeReport> {
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(memory, 'normd-life-'));
  try {
    return await live({ seed, years, folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Each try to reach a broker that is away is a failure, and to say where costs more than it. */
Error.stackTraceLimit = 1;

/** What must have happened in some life of a campaign; else it has proven less than it says. */
const FAULTS = [
  'broker.down',
  'broker.flapping',
  'broker.forgetful',
  'broker.hanging-up',
  'broker.picky',
  'broker.portal',
  'broker.refusing',
  'broker.silent',
  'broker.slow',
  'broker.small',
  'cable.cut',
  'cable.noisy',
  'clock.back',
  'clock.forward',
  'clock.loses',
  'clock.steps',
  'clock.strays',
  'disk.damaged-file',
  'disk.damaged-log',
  'disk.full',
  'disk.scarce',
  'event.broker-changed',
  'fate.arm',
  'fate.kill',
  'fate.reconfigure',
  'fate.restart',
  'gap.age',
  'gap.bytes',
  'gap.disk-full',
  'gap.quarantined',
  'line.dead',
  'machine.boots',
  'machine.boots-in-1970',
  'operator.discard',
  'operator.resend',
  'outside.urgent',
  'receipt.lost',
  'store.refused',
  'store.set-aside',
];
/** What was held against the gateway while it lived. */
const HELD = [
  'drained',
  'in-time.alarm',
  'in-time.command',
  'in-time.measurement',
  'receipt.hole-filled',
  'verdict.complete',
  'window.drained',
];

const campaign = new Map<string, number>();

function remember({ counts }: LifeReport): void {
  for (const [kind, count] of Object.entries(counts)) {
    campaign.set(kind, (campaign.get(kind) ?? 0) + count);
  }
}

function assertHeld({ seed, breach, delivered }: LifeReport): void {
  const told = [`seed ${seed}, event ${breach?.event}: ${breach?.what}`, ...(breach?.last ?? [])];
  assert.equal(breach, undefined, told.join('\n'));
  assert.ok(delivered > 0, 'nothing was ever delivered');
}

/** Half a year takes twenty seconds of a processor that many may share. */
const PATIENT = { timeout: 600_000 };

for (let seed = SEED; seed < SEED + LIVES; seed += 1) {
  test(
    `seed ${seed}: in ${YEARS} years of outages and deaths no promise is broken`,
    PATIENT,
    async () => {
      const report = await life(seed, YEARS);
      assertHeld(report);
      remember(report);
    },
  );
}

for (const line of KEPT.split('\n').filter((one) => /^\d/.test(one))) {
  const [seed = 0, years = 0] = line.split(' ').map(Number);
  test(`seed ${seed}, kept: in ${years} years no promise is broken`, PATIENT, async () => {
    const report = await life(seed, years);
    assertHeld(report);
    remember(report);
  });
}

/** Shorter campaigns, as people run them, meet what they meet. */
const enough = LIVES * YEARS >= 1.5 || 'a campaign of less than 1.5 gateway-years';
test('every fault befell somebody, every promise was tested', (context) => {
  if (enough !== true) {
    context.skip(enough);
    return;
  }
  const counted = [...FAULTS, ...HELD].map((kind) => [kind, campaign.get(kind) ?? 0] as const);
  context.diagnostic(counted.map(([kind, count]) => `${kind} ${count}`).join(', '));
  const never = counted.filter(([, count]) => count === 0).map(([kind]) => kind);
  assert.deepEqual(never, []);
});

test('two lives of one seed are the same to the last event, of two they are not', async () => {
  const one = await life(5, 0.02);
  const same = await life(5, 0.02);
  const other = await life(6, 0.02);
  assert.equal(one.events, same.events);
  assert.equal(one.hash, same.hash);
  assert.notEqual(one.hash, other.hash);
});

const STREAM = 'meter';

/** Three observations given to the store and confirmed; `deliver` brings some of them. */
function account() {
  const diary = new Diary(new VirtualClock());
  const obligations = new Obligations('utility', diary);
  const outputs = [0, 1, 2].map((raw) => {
    const records = encodeRecords({
      source: STREAM,
      time: { second: 1_795_219_200 + raw, nanosecond: 0, clock: 'device', trust: 'trusted' },
      quality: [],
      readings: [{ object: '1-0:1.8.0*255', raw, scaler: 0, unit: 'Wh' }],
    });
    const to = { backend: 'utility', stream: STREAM, class: 'measurement' } as const;
    return { ...to, readings: 1, ...records };
  });
  for (const output of outputs) obligations.given(output).outcome = 'confirmed';
  const deliver = (which: number, sequence: number): void => {
    const output = outputs[which];
    assert.ok(output !== undefined);
    const key = { gateway: 'gw-1', stream: STREAM, epoch: 7, sequence, count: 1 };
    obligations.came('up', STREAM, encodePack(key, [output]));
  };
  const settle = (gaps: readonly { readonly first: number; readonly last: number }[]): void =>
    obligations.settle([{ stream: STREAM, epoch: 7, next: 3, gaps }], {
      order: [7],
      damaged: new Set(),
    });
  return { diary, deliver, settle };
}

test('all that was confirmed came, once or again: no breach', () => {
  const { diary, deliver, settle } = account();
  for (const [which, sequence] of [
    [0, 0],
    [1, 1],
    [0, 0],
    [1, 1],
    [2, 2],
  ] as const) {
    deliver(which, sequence);
  }
  settle([]);
  assert.equal(diary.breach, undefined);
});

test('what was confirmed and never came is a breach, unless a gap names it', () => {
  for (const named of [true, false]) {
    const { diary, deliver, settle } = account();
    deliver(0, 0);
    deliver(2, 2);
    settle(named ? [{ first: 1, last: 1 }] : []);
    assert.equal(diary.breach === undefined, named);
  }
});

for (const [title, deliveries] of [
  [
    'an observation that came under two numbers',
    [
      [0, 0],
      [0, 1],
    ],
  ],
  [
    'a number with two contents',
    [
      [0, 0],
      [1, 0],
    ],
  ],
  [
    'a later observation under an earlier number',
    [
      [2, 2],
      [1, 1],
    ],
  ],
  [
    'an earlier observation under a later number',
    [
      [1, 0],
      [0, 1],
    ],
  ],
] as const) {
  test(`${title} is a breach at once`, () => {
    const { diary, deliver } = account();
    for (const [which, sequence] of deliveries) deliver(which, sequence);
    assert.notEqual(diary.breach, undefined);
  });
}

test('a number that was skipped without a word is a breach, also where nothing is missing', () => {
  const { diary, deliver, settle } = account();
  for (const [which, sequence] of [
    [0, 0],
    [1, 1],
  ] as const)
    deliver(which, sequence);
  settle([]);
  assert.notEqual(diary.breach, undefined);
});
