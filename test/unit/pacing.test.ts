import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OperatingError } from '#bytes/failure.ts';
import { scheduleOf } from '#system/schedule.ts';
import { backlogDelayMs, budgetOf } from '#uplink/pacing.ts';
import { HangUps, verdictOnRefusal } from '#uplink/quarantine-rule.ts';
import { seeded } from '../support/seeded.ts';

test('in no span of time does more go than the cap, a burst and one message', () => {
  const sends = fc.array(
    fc.record({ bytes: fc.integer({ min: 1, max: 32_768 }), idleMs: fc.nat(20_000) }),
    { minLength: 1, maxLength: 60 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 100_000 }), sends, (rate, list) => {
      const budget = budgetOf(rate);
      const gone: { readonly at: number; readonly bytes: number }[] = [];
      let now = 0;
      for (const { bytes, idleMs } of list) {
        now += idleMs;
        const waitMs = budget.waitMs(now);
        now += waitMs;
        assert.equal(budget.waitMs(now), 0, 'whoever has waited as long as told may send');
        budget.spend(bytes, now);
        gone.push({ at: now, bytes });
      }
      for (const [first, { at }] of gone.entries()) {
        let sum = 0;
        for (const later of gone.slice(first)) {
          sum += later.bytes;
          const allowed = ((later.at - at) * rate) / 1000 + Math.max(4096, 2 * rate) + 32_768;
          assert.ok(sum <= allowed, `${sum} bytes in ${later.at - at} ms`);
        }
      }
    }),
  );
});

test('a steady backlog uses the whole cap, and pays for what was urgent', () => {
  const budget = budgetOf(1000);
  let [now, sent] = [0, 0];
  budget.spend(20_000, now); // alarms did not ask
  while (now < 3_600_000) {
    now += budget.waitMs(now);
    budget.spend(500, now);
    sent += 500;
  }
  assert.ok(Math.abs(sent - 3_600_000 + 20_000) < 8000, `${sent} bytes in an hour`);
});

test('gateways that return together spread their backlogs over the outage or a minute', () => {
  const entropy = seeded(7);
  for (const [outageMs, spreadMs] of [
    [0, 0],
    [29_999, 0],
    [40_000, 40_000],
    [86_400_000, 60_000],
  ] as const) {
    const delays = Array.from({ length: 1000 }, () => backlogDelayMs(outageMs, entropy));
    assert.ok(delays.every((delay) => delay >= 0 && delay <= spreadMs));
    const perTenth = Array.from({ length: 10 }, (_, tenth) => {
      const from = (tenth * spreadMs) / 10;
      return delays.filter((delay) => delay >= from && delay < from + spreadMs / 10).length;
    });
    if (spreadMs > 0) assert.ok(Math.max(...perTenth) < 150, perTenth.join(' '));
  }
});

const at = (iso: string): number => Date.parse(iso);

test('a metered link is open in the windows of its schedule', () => {
  const schedule = scheduleOf({ cron: '30 2 * * *', minutes: 20, timeZone: 'Europe/Amsterdam' });
  assert.deepEqual(schedule.at(at('2026-11-21T00:00:00Z')), {
    open: false,
    nextMs: at('2026-11-21T01:30:00Z'),
  });
  for (const moment of ['2026-11-21T01:30:00Z', '2026-11-21T01:49:59Z']) {
    const untilMs = at('2026-11-21T01:50:00Z');
    assert.deepEqual(schedule.at(at(moment)), { open: true, untilMs }, moment);
  }
  assert.deepEqual(schedule.at(at('2026-11-21T01:50:00Z')), {
    open: false,
    nextMs: at('2026-11-22T01:30:00Z'),
  });
  // The night on which 02:30 does not exist in Amsterdam still has its window.
  const spring = schedule.at(at('2027-03-28T00:55:00Z'));
  assert.deepEqual(spring, { open: false, nextMs: at('2027-03-28T01:00:00Z') });
});

test('windows that overlap or touch are one', () => {
  const schedule = scheduleOf({ cron: '0,10,25 3 * * *', minutes: 10, timeZone: 'UTC' });
  const opening = schedule.at(at('2026-11-21T03:05:00Z'));
  assert.deepEqual(opening, { open: true, untilMs: at('2026-11-21T03:20:00Z') });
});

test('whenever a window is said to begin or end, it does', () => {
  const crons = fc.constantFrom('*/7 * * * *', '0 3 * * 1', '59 23 31 12 *', '0 0,12 1 * *');
  const moments = fc.integer({ min: at('2026-01-01'), max: at('2030-01-01') });
  fc.assert(
    fc.property(crons, fc.integer({ min: 1, max: 1440 }), moments, (cron, minutes, moment) => {
      const schedule = scheduleOf({ cron, minutes, timeZone: 'UTC' });
      const opening = schedule.at(moment);
      if (opening.open) {
        assert.ok(opening.untilMs > moment);
        assert.ok(schedule.at(opening.untilMs - 1).open);
      } else {
        assert.ok(opening.nextMs > moment);
        assert.ok(schedule.at(opening.nextMs).open);
        assert.ok(!schedule.at(opening.nextMs - 1).open);
      }
    }),
    { numRuns: 50 },
  );
});

test('what is no schedule is refused', () => {
  for (const [cron, timeZone] of [
    ['0 25 * * *', 'UTC'],
    ['* * * * * *', 'UTC'],
    ['', 'UTC'],
    ['0 0 30 2 *', 'UTC'],
    ['0 2 * * *', 'Mars/Olympus'],
  ] as const) {
    const isIt = (error: unknown): boolean =>
      error instanceof OperatingError && error.code === 'bad-schedule';
    assert.throws(() => scheduleOf({ cron, minutes: 5, timeZone }), isIt, cron);
  }
});

const oldest = { id: 5, stream: 'm', of: 'bulk' } as const;
const sent = { oldest, sequence: 0, count: 1 } as const;
const hungUp = { code: 'connection-closed', ...sent } as const;

test('a refusal of what an entry is sets it aside, once it is certain which', () => {
  for (const code of ['topic-refused', 'packet-too-large', 'payload-invalid', 'unencodable']) {
    assert.equal(verdictOnRefusal(code, 20), 'alone', code);
    assert.equal(verdictOnRefusal(code, 1), 'quarantine', code);
  }
});

test('a refusal that people or time mend never sets anything aside', () => {
  for (const code of [
    'not-authorised',
    'quota-exceeded',
    'broker-busy',
    'broker-unavailable',
    'broker-error',
    'broker-refused',
    'banned',
    'a-code-of-tomorrow',
  ]) {
    assert.equal(verdictOnRefusal(code, 1), 'wait', code);
    const hangUps = new HangUps();
    hangUps.answered([1]);
    for (let time = 0; time < 20 && code !== 'broker-error' && code !== 'broker-refused'; time += 1)
      assert.equal(hangUps.lost({ ...hungUp, code, alone: true }), 'wait', code);
  }
});

test('an entry over which the broker hangs up three times while it is alone is set aside', () => {
  const hangUps = new HangUps();
  assert.equal(hangUps.lost({ ...hungUp, alone: false }), 'alone');
  assert.equal(hangUps.suspect?.id, 5);
  assert.equal(hangUps.lost({ ...hungUp, alone: true }), 'alone');
  assert.equal(hangUps.lost({ ...hungUp, alone: true }), 'alone');
  assert.equal(hangUps.lost({ ...hungUp, alone: true }), 'quarantine');
  assert.equal(hangUps.suspect, undefined);
});

test('an entry that is taken at the third try is innocent', () => {
  const hangUps = new HangUps();
  hangUps.lost({ ...hungUp, alone: true });
  hangUps.lost({ ...hungUp, alone: true });
  hangUps.answered([5]);
  assert.equal(hangUps.suspect, undefined);
  assert.equal(hangUps.lost({ ...hungUp, oldest: { ...oldest, id: 6 }, alone: true }), 'alone');
});

test('a broker that hangs up over everything empties no outbox', () => {
  const hangUps = new HangUps();
  const over = (id: number): boolean =>
    hangUps.lost({ ...hungUp, oldest: { ...oldest, id }, alone: true }) === 'quarantine';
  let guilty = 0;
  for (let time = 0; time < 1000; time += 1) guilty += Number(over(guilty));
  assert.equal(guilty, 8, '3, 6, 12 … hang-ups each');
  hangUps.answered([99]);
  assert.deepEqual([over(200), over(200), over(200)], [false, false, true], 'three again');
});

test('a disconnection because of the size of a single entry is as good as a refusal', () => {
  const lost = { ...sent, code: 'packet-too-large' };
  assert.equal(new HangUps().lost({ ...lost, alone: true }), 'quarantine');
  assert.equal(new HangUps().lost({ ...lost, alone: false }), 'alone');
  assert.equal(new HangUps().lost({ ...lost, count: 2, alone: true }), 'alone', 'not of a run');
});
