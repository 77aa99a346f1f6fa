import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DeliveryClass } from '#policy/delivery-class.ts';
import { SimulatedBackend } from '#sim/life/backend.ts';
import type { Fate } from '#sim/life/broker-session.ts';
import { Diary } from '#sim/life/diary.ts';
import { observed } from '#sim/life/observed-store.ts';
import { refusalOf } from '#uplink/refusal.ts';
import type { Message } from '#uplink/session.ts';
import { runsOf } from '../support/fuzz.ts';
import { seeded } from '../support/seeded.ts';
import { sequencesOf } from '../support/uplink.ts';
import { VirtualUplink } from '../support/virtual-uplink.ts';

const BACKEND = 'utility';
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
/** For all that waits when the broker is well again: a refused stream does for five minutes. */
const DRAINED_MINUTES_MAX = 60;
const PAYLOAD_INVALID = 0x99;

const CLASS_OF: Readonly<Record<string, DeliveryClass>> = {
  m: 'measurement',
  n: 'measurement',
  m_command: 'command',
  m_alarm: 'alarm',
  m_bulk: 'bulk',
};
const STREAMS = Object.keys(CLASS_OF);

/** How a broker answers: after so long, and of a hundred messages so many otherwise. */
const mood = fc.record({
  kind: fc.constant('mood' as const),
  delayMs: fc.constantFrom(0, 20, 300, 2000),
  swallowed: fc.constantFrom(0, 0, 10),
  hungUp: fc.constantFrom(0, 0, 5),
  refused: fc.constantFrom(0, 0, 30),
  refusedStreams: fc.subarray(STREAMS, { maxLength: 2 }),
  reason: fc.constantFrom(0x80, 0x83, 0x87, 0x90, 0x95, 0x97, 0x99),
});
type Mood = typeof mood extends fc.Arbitrary<infer One> ? One : never;
const WELL: Omit<Mood, 'kind'> = {
  ...{ delayMs: 20, swallowed: 0, hungUp: 0 },
  ...{ refused: 0, refusedStreams: [], reason: 0x80 },
};

const limits = fc.record({
  receiveMaximum: fc.constantFrom(1, 2, 7, 100),
  packetBytesMax: fc.constantFrom(400, 700, 4000, Infinity),
});
const append = fc.record({
  kind: fc.constant('append' as const),
  stream: fc.constantFrom(...STREAMS),
  count: fc.integer({ min: 1, max: 12 }),
});
const pass = fc.record({
  kind: fc.constant('pass' as const),
  ms: fc.constantFrom(10, 200, 5000, 70_000),
});
const step = fc.oneof(
  { weight: 8, arbitrary: append },
  { weight: 4, arbitrary: pass },
  { weight: 3, arbitrary: mood },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hang-up' as const), limits }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('away' as const), ms: fc.nat(200_000) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'kill' } as const) },
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

interface Setting {
  readonly seed: number;
  readonly limits: { readonly receiveMaximum: number; readonly packetBytesMax: number };
  /** The broker refuses some observations of `n` for what they are. */
  readonly picky: boolean;
  readonly runCountMax: number;
}

class Run {
  readonly #world: VirtualUplink;
  readonly #setting: Setting;
  readonly #chance: () => number;
  readonly #diary: Diary;
  readonly #backend: SimulatedBackend;
  readonly #given = new Map<string, number>();
  #mood = WELL;

  constructor(directory: string, setting: Setting) {
    const { seed, runCountMax } = setting;
    const backends = (): ReadonlyMap<string, SimulatedBackend> =>
      new Map([[BACKEND, this.#backend]]);
    this.#setting = setting;
    const entropy = seeded(seed);
    this.#chance = () => entropy.fraction();
    this.#world = new VirtualUplink({
      directory,
      runCountMax,
      seed,
      observe: (store) => {
        this.#backend.opened(store.opening.epoch);
        store.onGap((gap) => this.#backend.named(gap));
        return observed(store, backends(), {
          happened: () => undefined,
          confirmed: () => undefined,
        });
      },
    });
    this.#diary = new Diary(this.#world.clock);
    this.#backend = new SimulatedBackend(BACKEND, this.#diary);
    this.#world.limits = setting.limits;
    this.#world.fate = (message) => this.#fate(message);
  }

  async live(steps: readonly Step[]): Promise<void> {
    await this.#world.start();
    for (const one of steps) await this.#step(one);
    this.#mood = WELL;
    await this.#drain();
    await this.#isUp();
    await this.#owe('m', 40);
    await this.#urgentIsInTime();
    await this.#drain();
    this.#backend.stands(await this.#asked(this.#world.store.streams(BACKEND)));
    await this.#world.stop();
    this.#backend.settle();
    const { breach } = this.#diary;
    assert.equal(breach, undefined, [breach?.what, ...(breach?.last ?? [])].join('\n'));
    assert.deepEqual(this.#world.violations, []);
  }

  async #step(step: Step): Promise<void> {
    const world = this.#world;
    switch (step.kind) {
      case 'append':
        return this.#owe(step.stream, step.count);
      case 'pass':
        return world.clock.run(step.ms);
      case 'mood':
        this.#mood = step;
        return;
      case 'hang-up':
        world.limits = step.limits;
        world.hangUp();
        return;
      case 'away':
        world.fate = undefined;
        world.hangUp();
        await world.clock.run(step.ms);
        world.fate = (message) => this.#fate(message);
        return;
      case 'restart':
        await world.stop();
        return world.start();
      case 'kill':
        world.kill();
        return world.start();
    }
  }

  async #owe(stream: string, count: number): Promise<void> {
    const from = this.#given.get(stream) ?? 0;
    this.#given.set(stream, from + count);
    await this.#world.owe(CLASS_OF[stream] ?? 'measurement', stream, from, count);
  }

  /** Until nothing is due. */
  async #drain(): Promise<void> {
    for (let minutes = 0; (await this.#due()) > 0; minutes += 1) {
      assert.ok(minutes < DRAINED_MINUTES_MAX, 'something is never sent');
      await this.#world.clock.run(MINUTE_MS);
    }
  }

  async #due(): Promise<number> {
    const { backends } = await this.#asked(this.#world.store.counts());
    const { queuedEntries = 0, quarantinedEntries = 0 } = backends[BACKEND] ?? {};
    return queuedEntries - quarantinedEntries;
  }

  /** A session that still waits for an answer from before is over by then, and followed. */
  async #isUp(): Promise<void> {
    const { clock } = this.#world;
    await clock.run(2 * MINUTE_MS);
    while (this.#world.uplink.status().state.kind !== 'online') await clock.run(SECOND_MS);
  }

  async #urgentIsInTime(): Promise<void> {
    const { clock, arrived } = this.#world;
    for (const [stream, deadlineMs] of [
      ['m_command', 2 * SECOND_MS],
      ['m_alarm', 10 * SECOND_MS],
    ] as const) {
      const before = arrived.length;
      await this.#owe(stream, 1);
      await clock.run(deadlineMs);
      const came = arrived.slice(before).some(({ topic }) => topic.endsWith(stream));
      assert.ok(came, `${stream} is late`);
    }
  }

  async #asked<Answer>(work: Promise<Answer>): Promise<Answer> {
    const [answer] = await Promise.all([work, this.#world.clock.run(0)]);
    return answer;
  }

  #fate({ topic, payload }: Message): Fate {
    const bytes = Buffer.from(payload);
    const { delayMs, swallowed, hungUp, reason } = this.#mood;
    const answered = { kind: 'answered', delayMs } as const;
    if (this.#isPoison(topic, bytes)) return { ...answered, refusal: refusalOf(PAYLOAD_INVALID) };
    if (this.#isRefused(topic)) return { ...answered, refusal: refusalOf(reason) };
    if (this.#happens(hungUp)) return { kind: 'hung-up' };
    this.#backend.took(topic, bytes);
    return this.#happens(swallowed) ? { kind: 'unanswered' } : answered;
  }

  /** One message out of several in flight would end their order (decision 0004). */
  get #oneAtATime(): boolean {
    return this.#world.limits.receiveMaximum === 1;
  }

  #isRefused(topic: string): boolean {
    const { refused, refusedStreams } = this.#mood;
    if (this.#oneAtATime) return this.#happens(refused);
    return refusedStreams.some((stream) => topic.endsWith(`/${stream}`));
  }

  #isPoison(topic: string, payload: Uint8Array): boolean {
    if (!this.#setting.picky || !this.#oneAtATime || !/\/(up|lv)\/n$/.test(topic)) return false;
    return sequencesOf({ payload }).some((sequence) => sequence % 9 === 4);
  }

  #happens(ofHundred: number): boolean {
    return this.#chance() * 100 < ofHundred;
  }
}

test('whatever brokers and processes do, all confirmed comes in order, or is named', async () => {
  const runs = fc.record({
    steps: fc.array(step, { minLength: 4, maxLength: 30 }),
    seed: fc.integer({ min: 1, max: 1 << 30 }),
    limits,
    picky: fc.boolean(),
    runCountMax: fc.constantFrom(1, 256),
  });
  const property = fc.asyncProperty(runs, async ({ steps, ...setting }) => {
    const folder = mkdtempSync(join(tmpdir(), 'normd-delivery-'));
    const run = new Run(join(folder, 'state'), setting);
    try {
      await run.live(steps);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  await fc.assert(property, { numRuns: runsOf(20) });
});
