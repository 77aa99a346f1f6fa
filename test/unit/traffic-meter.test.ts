import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BrokerSession } from '#sim/life/broker-session.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { TrafficMeter } from '#uplink/traffic-meter.ts';
import { folder } from '../support/store.ts';
import { VirtualUplink } from '../support/virtual-uplink.ts';

/** A quarter of an hour before midnight, UTC. */
const EVENING = Date.parse('2026-11-21T23:45:00Z') / 1000;
const DAY_S = 86_400;

/** What a session counts, and a meter that nobody looks at but who asks. */
function metered(clock: VirtualClock) {
  const meter = new TrafficMeter(clock);
  const judge = () => ({ kind: 'unanswered' }) as const;
  const session = new BrokerSession({ wayMs: () => 20, judge }, clock);
  meter.begin(session);
  const send = (bytes: number): void =>
    session.publish({ topic: '', payload: new Uint8Array(bytes) }, () => undefined);
  const days = () => meter.tally.days.map(({ day, bytes }) => [day, bytes]);
  return { meter, session, send, days };
}

test('bytes count for the day on which they passed, though nobody looked', () => {
  const clock = new VirtualClock({ second: EVENING });
  const { meter, session, send, days } = metered(clock);
  send(100);
  clock.advance(3_600_000);
  send(50);
  meter.end(session);
  assert.equal(meter.tally.bytesToday, 50);
  assert.equal(meter.total, 150);
  const told = [
    ['2026-11-21', 100],
    ['2026-11-22', 50],
  ];
  assert.deepEqual(days(), told);
  clock.advance(9 * DAY_S * 1000);
  assert.equal(meter.tally.bytesToday, 0);
  assert.deepEqual(days().length, 8);
  meter.close();
  assert.equal(clock.next, undefined);
});

test('a step of the clock moves no byte to another day', () => {
  const clock = new VirtualClock({ second: EVENING });
  const { send, days } = metered(clock);
  send(100);
  clock.step(DAY_S * 1000);
  send(10); // nobody has noticed yet
  assert.deepEqual(days(), [
    ['2026-11-21', 110],
    ['2026-11-22', 0],
  ]);
  send(5);
  clock.step(-DAY_S * 1000);
  clock.advance(60_000);
  assert.deepEqual(days(), [
    ['2026-11-22', 5],
    ['2026-11-21', 110],
  ]);
  send(1);
  assert.deepEqual(days().at(-1), ['2026-11-21', 111], 'a day that comes twice goes on');
});

test('what passes before the clock is believed counts for the day on which it is', () => {
  const clock = new VirtualClock({ second: 5, trust: 'untrusted' });
  const { meter, send, days } = metered(clock);
  send(100);
  clock.advance(2 * DAY_S * 1000);
  assert.deepEqual([meter.tally.bytesToday, days()], [100, []]);
  clock.set(EVENING, 'trusted');
  assert.deepEqual(days(), [['2026-11-21', 100]]);
});

test('the days of earlier starts come first, and the day of the restart goes on', () => {
  const clock = new VirtualClock({ second: EVENING, trust: 'untrusted' });
  const { meter, send, days } = metered(clock);
  send(10);
  const today = Math.floor(EVENING / DAY_S);
  meter.restore([
    { day: today - 3, bytes: 7 },
    { day: today, bytes: 100 },
  ]);
  assert.equal(meter.tally.bytesToday, 10, 'nobody knows yet that it is the same day');
  clock.set(EVENING, 'trusted');
  assert.deepEqual(days(), [
    ['2026-11-18', 7],
    ['2026-11-21', 110],
  ]);
  assert.equal(meter.tally.bytesToday, 110);
});

/** Owes something each second, as meters do; all of it is delivered. */
async function busy(life: VirtualUplink, from: number, seconds: number): Promise<void> {
  for (let number = from; number < from + seconds; number += 1) {
    await life.owe('measurement', 'p1', number, 1);
    await life.clock.run(900);
  }
}

test('a kill takes ten seconds at most from the bytes of a day', async (context) => {
  const life = new VirtualUplink({ directory: folder(context) });
  let [counted, atLeast] = [0, 0];
  for (const from of [0, 30, 60]) {
    await life.start();
    await busy(life, from, 18);
    const before = life.uplink.status().traffic;
    await busy(life, from + 18, 12);
    const after = life.uplink.status().traffic;
    counted += after.bytesRead + after.bytesWritten;
    atLeast += before.bytesRead + before.bytesWritten;
    assert.ok(after.bytesToday <= counted);
    assert.ok(from === 0 || after.bytesToday > after.bytesRead + after.bytesWritten);
    life.kill();
  }
  await life.start();
  const { days, bytesToday } = life.uplink.status().traffic;
  assert.equal(days.length, 1);
  assert.ok(bytesToday >= atLeast && bytesToday <= counted, `${bytesToday} of ${counted}`);
  await life.stop();
});
