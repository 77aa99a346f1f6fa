import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { encodeRecords } from '#reading/senml.ts';
import { BrokerSession } from '#sim/life/broker-session.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStoreHere } from '#store/here.ts';
import type { Store } from '#store/store.ts';
import { openUplink } from '#uplink/open.ts';
import type { Dial } from '#uplink/session.ts';
import { numbered } from '../support/outbox.ts';
import { seeded } from '../support/seeded.ts';
import { folder } from '../support/store.ts';

const GATEWAYS = 300;
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
/** In no second more of them than this knock; over four seconds that is a quarter, and chance. */
const DIALS_MAX = GATEWAYS * 0.4;
/** After minutes the tries lie half a minute and more apart. */
const LATE_DIALS_MAX = GATEWAYS / 10;
/** Over a minute a second sees five begin with their backlogs, were chance even. */
const BACKLOGS_MAX = GATEWAYS / 15;

/** A broker for all of the gateways, that notes when each of them knocks and sends. */
class Town {
  readonly clock = new VirtualClock();
  readonly #sessions = new Map<string, BrokerSession>();
  #up = true;
  dials: number[] = [];
  /** When each gateway was let in last, and has sent something of its outbox for the first time. */
  readonly welcomed = new Map<string, number>();
  readonly begun = new Map<string, number>();
  messages = 0;

  get online(): number {
    return this.#sessions.size;
  }

  /** All lose their sessions, and find nobody. */
  die(): void {
    [this.#up, this.dials] = [false, []];
    this.begun.clear();
    for (const session of this.#sessions.values()) {
      session.lose({ code: 'connection-closed', message: 'the broker has gone' });
    }
    this.#sessions.clear();
  }

  live(): void {
    this.#up = true;
  }

  readonly dial: Dial = ({ clientId }) => {
    const { clock } = this;
    this.dials.push(clock.monotonic());
    if (!this.#up) return Promise.reject(new OperatingError('connection-refused', 'nobody there'));
    const session = new BrokerSession(
      {
        wayMs: () => 10,
        judge: ({ topic }) => {
          if (topic.includes('/up/')) this.#sends(clientId);
          return { kind: 'answered', delayMs: 10 };
        },
      },
      clock,
    );
    this.#sessions.set(clientId, session);
    this.welcomed.set(clientId, clock.monotonic());
    return Promise.resolve(session);
  };

  /** For how long each gateway has held its backlog back, once it was let in. */
  get waits(): readonly number[] {
    return Array.from(this.begun, ([name, ms]) => ms - (this.welcomed.get(name) ?? NaN));
  }

  #sends(gateway: string): void {
    this.messages += 1;
    if (!this.begun.has(gateway)) this.begun.set(gateway, this.clock.monotonic());
  }
}

/** The most of these moments that lie within one second. */
function mostInASecond(moments: Iterable<number>): number {
  const sorted = [...moments].sort((a, b) => a - b);
  let [most, first] = [0, 0];
  for (const [index, ms] of sorted.entries()) {
    while (ms - (sorted[first] ?? ms) >= SECOND_MS) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

/** Spread over a minute, whenever they have come: dials may lie closer together than these. */
function assertEven(waits: readonly number[]): void {
  for (const [index, ms] of waits.toSorted((a, b) => a - b).entries()) {
    const evenMs = (MINUTE_MS * index) / waits.length;
    assert.ok(Math.abs(ms - evenMs) < MINUTE_MS / 10, `${ms} ms, the ${index + 1}th of them`);
  }
}

const nameOf = (index: number): string => `gw-${index}`;

async function town(context: TestContext): Promise<{ town: Town; store: Store }> {
  const all = new Town();
  const { clock, dial } = all;
  const entropy = seeded(1);
  const store = await openStoreHere({ directory: folder(context), clock, entropy });
  const uplinks = Array.from({ length: GATEWAYS }, (_, index) =>
    openUplink(
      { backend: nameOf(index), gateway: nameOf(index), software: '0', url: 'mqtt://127.0.0.1:1' },
      { store, clock, entropy: seeded(0x9e37_79b9 * (index + 1)), log: () => undefined, dial },
    ),
  );
  context.after(async () => {
    const stopped = Promise.all(uplinks.map((uplink) => uplink.stop()));
    await clock.run(MINUTE_MS);
    await stopped;
    const closed = store.close();
    await clock.run(MINUTE_MS);
    await closed;
  });
  await clock.run(10 * SECOND_MS);
  assert.equal(all.online, GATEWAYS);
  return { town: all, store };
}

/** One observation, owed by each of the gateways. */
async function owe(store: Store, clock: VirtualClock, number: number): Promise<void> {
  const observation = numbered('p1', number);
  const readings = observation.readings.length;
  const entry = { stream: 'p1', class: 'measurement', readings } as const;
  const appended = store.append({
    source: 'p1',
    observation: new Uint8Array(1),
    readings,
    takenMs: Date.now(),
    outputs: Array.from({ length: GATEWAYS }, (_, index) => {
      return { backend: nameOf(index), ...entry, ...encodeRecords(observation) };
    }),
  });
  await clock.run(SECOND_MS);
  await appended;
}

test('a town is back within the deadline of an alarm, and not as one', async (context) => {
  const { town: all } = await town(context);
  all.die();
  await all.clock.run(SECOND_MS);
  all.live();
  await all.clock.run(9 * SECOND_MS);
  assert.equal(all.online, GATEWAYS);
  assert.ok(mostInASecond(all.dials) <= DIALS_MAX, `${mostInASecond(all.dials)} in a second`);
  context.diagnostic(`at most ${mostInASecond(all.dials)} in a second`);
});

test('a town knocks ever less, and begins its backlogs one by one', async (context) => {
  const { town: all, store } = await town(context);
  const { clock } = all;
  all.die();
  const diedMs = clock.monotonic();
  for (let minute = 0; minute < 5; minute += 1) {
    await owe(store, clock, minute);
    await clock.run(MINUTE_MS - SECOND_MS);
  }
  assert.equal(all.messages, 0);
  all.live();
  const returnedMs = clock.monotonic();
  await clock.run(MINUTE_MS);
  assert.equal(all.online, GATEWAYS, 'a minute after the return all are there');
  await clock.run(MINUTE_MS + SECOND_MS);
  assert.equal(all.begun.size, GATEWAYS, 'and have begun a minute later');
  const late = all.dials.filter((ms) => ms >= diedMs + MINUTE_MS);
  const begun = [...all.begun.values()];
  assert.ok(mostInASecond(all.dials) <= DIALS_MAX, `${mostInASecond(all.dials)} in a second`);
  assert.ok(mostInASecond(late) <= LATE_DIALS_MAX, `${mostInASecond(late)} later`);
  assert.ok(mostInASecond(begun) <= BACKLOGS_MAX, `${mostInASecond(begun)} begin`);
  assert.ok(Math.min(...begun) >= returnedMs);
  assertEven(all.waits);
  context.diagnostic(
    `at most ${mostInASecond(all.dials)} in a second, ${mostInASecond(late)} after a minute; ` +
      `${mostInASecond(begun)} begin with their backlogs`,
  );
});
