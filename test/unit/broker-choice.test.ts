import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BROKERS_MAX, BrokerChoice } from '#uplink/broker-choice.ts';
import { seeded } from '../support/seeded.ts';

const FIVE_MINUTES_MS = 300_000;
/** From the first SYN to the broker's welcome, when there is none. */
const DIAL_MS = 30_000;
/** Over so long the gateways of a broker that died dial the next one. */
const SPREAD_MS = 4000;
/** A death is noticed after so long at the latest: keep-alive, or an answer that is owed. */
const NOTICE_MS = 45_000;

const HOUR_MS = 3_600_000;
/** An alarm has so long to arrive. */
const ALARM_MS = 10_000;

/** Brokers that are well or not, and a gateway that follows its choice. */
class Life {
  readonly well: boolean[];
  readonly choice: BrokerChoice;
  /** With whom there has been a session since when. */
  session: { readonly broker: number; readonly sinceMs: number } | undefined;
  nowMs = 0;
  dials = 0;

  constructor(weights: readonly number[], seed: number) {
    this.well = weights.map(() => true);
    const brokers = weights.map((weight) => ({ weight }));
    this.choice = new BrokerChoice(brokers, seeded(seed));
  }

  /** Goes on until `untilMs`; a dial may end a little later. */
  run(untilMs: number): void {
    while (this.nowMs < untilMs) {
      if (this.session === undefined) this.#connect(untilMs);
      else this.#improve(this.session.broker, untilMs);
    }
  }

  /** Changes who is well; the death of the one in use is noticed after a while. */
  become(broker: number, well: boolean): void {
    this.well[broker] = well;
    if (well || this.session?.broker !== broker) return;
    this.nowMs += NOTICE_MS;
    this.choice.failed(broker, this.nowMs);
    this.session = undefined;
  }

  #connect(untilMs: number): void {
    const next = this.choice.next(this.nowMs);
    if (next.kind === 'wait') {
      assert.ok(next.untilMs > this.nowMs);
      this.nowMs = Math.min(untilMs, next.untilMs);
    } else if (this.#dial(next.broker)) {
      this.session = { broker: next.broker, sinceMs: this.nowMs };
    }
  }

  #improve(current: number, untilMs: number): void {
    const better = this.choice.better(current);
    const atMs = Math.max(this.nowMs, better?.atMs ?? Infinity);
    if (better === undefined || atMs >= untilMs) {
      this.nowMs = untilMs;
      return;
    }
    this.nowMs = atMs;
    if (this.#dial(better.broker)) {
      this.session = { broker: better.broker, sinceMs: this.nowMs };
    }
  }

  #dial(broker: number): boolean {
    this.dials += 1;
    const well = this.well[broker] === true;
    this.nowMs += well ? 200 : DIAL_MS;
    if (well) {
      this.choice.welcomed(broker, this.nowMs);
      this.choice.succeeded(broker);
    } else this.choice.failed(broker, this.nowMs);
    return well;
  }
}

test('the heaviest broker is used, and equal ones share the gateways', () => {
  const used = [0, 0, 0];
  for (let seed = 1; seed <= 600; seed += 1) {
    const life = new Life([1, 2, 2], seed * 7919);
    life.run(1);
    const broker = life.session?.broker ?? 0;
    used[broker] = (used[broker] ?? 0) + 1;
  }
  const [light = 0, one = 0, other = 0] = used;
  assert.equal(light, 0);
  assert.ok(one > 240 && other > 240, used.join(' '));
});

test('after the death of one broker the next is dialled within seconds, not by all at once', () => {
  const life = new Life([3, 2, 1], 5);
  life.run(1000);
  life.become(0, false);
  const diedMs = life.nowMs;
  life.run(diedMs + SPREAD_MS + 1000);
  assert.equal(life.session?.broker, 1);
  life.become(1, false);
  life.run(life.nowMs + 2 * DIAL_MS);
  assert.equal(life.session.broker, 2);
});

test('who loses a session waits anywhere up to four seconds, and no longer than it stood', () => {
  const waits = (stoodMs: number): readonly number[] =>
    Array.from({ length: 1000 }, (_, index) => {
      const choice = new BrokerChoice([{ weight: 2 }, { weight: 1 }], seeded(7919 * (index + 1)));
      choice.next(0);
      choice.welcomed(0, 0);
      choice.failed(0, stoodMs);
      const next = choice.next(stoodMs);
      return next.kind === 'wait' ? next.untilMs - stoodMs : 0;
    });
  const long = waits(3_600_000).toSorted((a, b) => a - b);
  assert.ok((long.at(-1) ?? Infinity) <= SPREAD_MS);
  for (const [index, waitMs] of long.entries()) {
    assert.ok(Math.abs(waitMs - 4 * index) < 300, `evenly: ${waitMs} after ${index}`);
  }
  assert.ok(
    waits(200).every((waitMs) => waitMs <= 200),
    'what flaps does so for one gateway',
  );
});

test('whatever died before, a broker that is well is reached within five minutes', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 3 }), {
    minLength: 2,
    maxLength: BROKERS_MAX,
  });
  const event = fc.record({
    passMs: fc.integer({ min: 0, max: 2_000_000 }),
    broker: fc.nat(BROKERS_MAX - 1),
    well: fc.boolean(),
  });
  fc.assert(
    fc.property(weights, fc.array(event, { maxLength: 30 }), fc.nat(), (list, events, seed) => {
      const life = new Life(list, seed);
      for (const { passMs, broker, well } of events) {
        life.run(life.nowMs + passMs);
        life.become(broker % list.length, well);
      }
      const survivor = life.well.indexOf(true);
      if (survivor < 0) return;
      life.run(life.nowMs + FIVE_MINUTES_MS - NOTICE_MS);
      assert.ok(life.session !== undefined, 'a session');
      life.run(life.nowMs + FIVE_MINUTES_MS + DIAL_MS);
      const best = Math.max(...list.filter((_, broker) => life.well[broker]));
      if (list.filter((weight) => weight > best).length > 0) return; // dead ones are probed first
      assert.equal(list[life.session.broker], best, 'the heaviest that is well');
    }),
  );
});

test('the way back is tried at most every five minutes, and not at one moment by all', () => {
  const moments: number[] = [];
  for (let seed = 1; seed <= 100; seed += 1) {
    const life = new Life([2, 1], seed * 104_729);
    life.run(1000);
    life.become(0, false);
    life.run(86_400_000);
    assert.equal(life.session?.broker, 1);
    assert.ok(life.dials < 86_400_000 / 150_000 + 10, `${life.dials} dials in a day`);
    life.become(0, true);
    const wellMs = life.nowMs;
    life.run(wellMs + FIVE_MINUTES_MS);
    assert.equal(life.session.broker, 0);
    moments.push(Math.floor((life.session.sinceMs - wellMs) / 30_000));
  }
  assert.ok(new Set(moments).size >= 8, 'spread over the minutes');
});

test('a broker that welcomes and dies again and again is returned to less and less often', () => {
  const life = new Life([2, 1], 11);
  life.run(1000);
  let returns = 0;
  while (life.nowMs < 6 * 3_600_000) {
    if (life.session?.broker === 0) {
      returns += 1;
      life.become(0, false);
      life.well[0] = true;
    }
    life.run(life.nowMs + 1000);
  }
  assert.ok(returns <= (6 * 3_600_000) / 150_000 + 5, `${returns} returns in six hours`);
});

test('what is urgent goes first to the broker that was well last, all else to the best', () => {
  const choice = new BrokerChoice([{ weight: 100 }, { weight: 10 }], seeded(1));
  choice.failed(0, 0);
  choice.welcomed(1, 1000);
  assert.deepEqual(choice.next(HOUR_MS, ALARM_MS), { kind: 'dial', broker: 1 });
  assert.deepEqual(choice.next(HOUR_MS, ALARM_MS), { kind: 'dial', broker: 0 });
  choice.welcomed(1, HOUR_MS);
  assert.deepEqual(choice.next(2 * HOUR_MS), { kind: 'dial', broker: 0 });
});

test('what is urgent does not go first to a broker that was sought in vain since', () => {
  const choice = new BrokerChoice([{ weight: 100 }, { weight: 10 }], seeded(1));
  choice.welcomed(1, 0);
  choice.left(1, 1000);
  assert.deepEqual(choice.next(HOUR_MS, ALARM_MS), { kind: 'dial', broker: 1 });
  choice.failed(1, HOUR_MS);
  assert.deepEqual(choice.next(2 * HOUR_MS, ALARM_MS), { kind: 'dial', broker: 0 });
  choice.failed(0, 2 * HOUR_MS);
  assert.deepEqual(choice.next(3 * HOUR_MS, ALARM_MS), { kind: 'dial', broker: 0 });
});

test('a session that was left leaves nothing to spread when its broker is sought in vain', () => {
  const choice = new BrokerChoice([{ weight: 100 }, { weight: 10 }], seeded(1));
  choice.welcomed(0, 0);
  choice.left(0, HOUR_MS);
  choice.failed(0, 2 * HOUR_MS);
  assert.deepEqual(choice.next(2 * HOUR_MS), { kind: 'dial', broker: 1 });
});

test('a single broker is tried again within a minute, for ever', () => {
  const life = new Life([1], 3);
  life.well[0] = false;
  life.run(86_400_000);
  assert.equal(life.choice.better(0), undefined);
  life.well[0] = true;
  life.run(life.nowMs + 61_000);
  assert.equal(life.session?.broker, 0);
});
