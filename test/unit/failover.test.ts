import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ScriptedBroker } from '#sim/life/broker.ts';
import { Chance } from '#sim/life/chance.ts';
import { Diary } from '#sim/life/diary.ts';
import { WELL, type Mood } from '#sim/life/mood.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { openStoreHere } from '#store/here.ts';
import { openUplink } from '#uplink/open.ts';
import type { Dial } from '#uplink/session.ts';
import { oweIn, temporaryFolder } from '../support/outbox.ts';
import { seeded } from '../support/seeded.ts';
import { GATEWAY, sequencesOf } from '../support/uplink.ts';

const SECOND_MS = 1000;
const FIVE_MINUTES_MS = 300_000;
const HOUR_MS = 3_600_000;
const STEP_MS = 10 * SECOND_MS;
const [MAIN, SPARE] = [1883, 1884] as const;
type Port = typeof MAIN | typeof SPARE;
const SEEDS = [1, 2];

/** How the main broker dies: in each of these ways nothing can be delivered to it. */
const DEATHS: Readonly<Record<string, Mood>> = {
  'is down': { kind: 'down' },
  'opens connections and never says a word': { kind: 'silent' },
  'gives way to a captive portal': { kind: 'portal' },
  'welcomes and acknowledges nothing, not even the birth': { kind: 'forgetful', share: 1 },
  'hangs up over every message': { kind: 'hanging-up', share: 1 },
};

/** One gateway with two brokers, in time of its own. */
class Pair {
  readonly clock = new VirtualClock();
  readonly main: ScriptedBroker;
  readonly spare: ScriptedBroker;
  readonly #dial: Dial;
  /** Numbers of the stream that each broker has taken, by its port. */
  readonly #taken = new Map([
    [MAIN, new Set<number>()],
    [SPARE, new Set<number>()],
  ] as const);
  #owe: (number: number) => Promise<void> = () => Promise.resolve();
  #next = 0;

  constructor(seed: number) {
    this.main = this.#brokerAt(MAIN, seed);
    this.spare = this.#brokerAt(SPARE, seed);
    this.#dial = (dialing) => (dialing.target.port === MAIN ? this.main : this.spare).dial(dialing);
  }

  async start(context: TestContext, seed: number): Promise<void> {
    const { clock } = this;
    const directory = temporaryFolder(context);
    const store = await openStoreHere({ directory, clock, entropy: seeded(seed) });
    const uplink = openUplink(
      {
        ...GATEWAY,
        url: `mqtt://127.0.0.1:${MAIN}`,
        brokers: [{ url: `mqtt://127.0.0.1:${SPARE}`, weight: 1 }],
      },
      { store, clock, entropy: seeded(seed), log: () => undefined, dial: this.#dial },
    );
    this.#owe = (number) => oweIn(store, 'measurement', 'm', number, 1);
    context.after(async () => {
      const stopped = uplink.stop().then(() => store.close());
      await clock.run(60 * SECOND_MS);
      await stopped;
    });
  }

  /** Owes one observation more every few seconds until `port` has one of these. */
  async resumedAt(port: Port): Promise<number> {
    const fromMs = this.clock.monotonic();
    const first = this.#next;
    while (![...(this.#taken.get(port) ?? [])].some((number) => number >= first)) {
      const owed = this.#owe(this.#next);
      this.#next += 1;
      await this.clock.run(STEP_MS);
      await owed;
      assert.ok(this.clock.monotonic() - fromMs < 2 * FIVE_MINUTES_MS, `nothing comes to ${port}`);
    }
    return this.clock.monotonic() - fromMs;
  }

  #brokerAt(port: Port, seed: number): ScriptedBroker {
    const nothing = (): void => undefined;
    return new ScriptedBroker({
      name: String(port),
      clock: this.clock,
      chance: new Chance(`${seed}/${port}`),
      diary: new Diary(this.clock),
      taken: (topic, payload) => {
        if (!topic.endsWith('/up/m')) return;
        for (const number of sequencesOf({ payload })) this.#taken.get(port)?.add(number);
      },
      refused: nothing,
      sent: nothing,
      knocked: nothing,
    });
  }
}

for (const [death, mood] of Object.entries(DEATHS)) {
  test(`while the main broker ${death} none waits for over five minutes`, async (context) => {
    for (const seed of SEEDS) {
      const pair = new Pair(seed);
      const within = async (limitMs: number, port: Port): Promise<void> => {
        const passedMs = await pair.resumedAt(port);
        assert.ok(passedMs <= limitMs, `seed ${seed}: ${passedMs} ms until ${port} gets something`);
      };
      await pair.start(context, seed);
      await within(FIVE_MINUTES_MS, MAIN);
      pair.main.mood = mood;
      const diedMs = pair.clock.monotonic();
      while (pair.clock.monotonic() < diedMs + HOUR_MS) await within(FIVE_MINUTES_MS, SPARE);
      pair.spare.restart();
      await within(FIVE_MINUTES_MS, SPARE);
      pair.main.mood = WELL;
      await within(FIVE_MINUTES_MS + STEP_MS, MAIN);
    }
  });
}
