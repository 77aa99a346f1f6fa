import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { askStatus } from '#control/client.ts';
import { startPmuSimulator } from '#sim/pmu.ts';
import { type Way, startWay } from '#sim/way.ts';
import type { Entropy } from '#system/entropy.ts';
import { buildBundle, nativeRuntime } from '../support/bundle.ts';
import { type GatewayProcess, type Source, type World, openWorld } from '../support/gateway.ts';
import { withoutMosquitto } from '../support/mosquitto.ts';
import { seeded } from '../support/seeded.ts';
import { Deliveries } from './deliveries.ts';
import { keptIn } from './kept.ts';
import { recorded, withoutCompiler } from './recorder.ts';

const KILLS = Number(process.env['NORMD_DAEMON_KILLS'] ?? 200);
const SEED = Number(process.env['NORMD_SEED'] ?? Date.now() % 1_000_000);
/** A kill takes half a second, and several times that where others use the machine. */
const TIMEOUT_MS = 60_000 + KILLS * 3_000;
/** With so many each kind must occur; what a migration loses has a test beside this one. */
const KILLS_OF_EACH_KIND = 200;
/** As the moments' names begin. */
const KINDS = ['starting', 'running', 'commit', 'sending', 'checkpoint'] as const;
/** Gateways at the same time: while one of them starts the other's clocks and disks wait. */
const GATEWAYS = 2;

const RATES = [200, 50] as const;
const POLL_MS = 15;
/** So long a message is on its way to the broker, and lost if its sender dies meanwhile. */
const WAY_MS = 50;
const LIFE_MS_MAX = 1_500;
const RUN_MS_MAX = 600;
/** Deliveries of a life after which a kill meets others on their way. */
const DELIVERIES_MAX = 60;

const skip = withoutCompiler || withoutMosquitto;
let bundle: string;

before(() => {
  if (skip === false) bundle = buildBundle();
});
after(() => {
  if (skip === false) rmSync(dirname(bundle), { recursive: true });
});

/** When a daemon is killed: on its way to the first reading that it stores, or after it, … */
type Moment =
  | { readonly kind: 'starting'; readonly share: number }
  | { readonly kind: 'running'; readonly afterMs: number }
  /** … as deliveries arrive, or before an operation on its disk (recorder.c). */
  | { readonly kind: 'sending'; readonly deliveries: number }
  | { readonly kind: 'operation'; readonly name: string; readonly operation: string };

/** What a kill of each kind may cut in two, with the greatest count that a life comes to. */
const OPERATIONS = [
  { name: 'commit, before the log', operation: 'W:store.db-wal', most: 150 },
  { name: 'commit, before its fsync', operation: 'S:store.db-wal', most: 25 },
  { name: 'checkpoint, before the database', operation: 'W:store.db', most: 40 },
  { name: 'checkpoint, before its fsync', operation: 'S:store.db', most: 1 },
] as const;

function momentOf(entropy: Entropy): Moment {
  const upTo = (most: number): number => Math.floor(entropy.fraction() * most);
  const kind = upTo(8);
  if (kind < 2) return { kind: 'starting', share: entropy.fraction() };
  if (kind < 4) return { kind: 'running', afterMs: upTo(RUN_MS_MAX) };
  if (kind < 5) return { kind: 'sending', deliveries: 1 + upTo(DELIVERIES_MAX) };
  const { name, operation, most } = OPERATIONS[upTo(OPERATIONS.length)] ?? OPERATIONS[0];
  return { kind: 'operation', name, operation: `${operation}:${1 + upTo(most)}` };
}

test(
  `${KILLS} kills lose nothing (seed ${SEED})`,
  { skip, timeout: TIMEOUT_MS },
  async (context) => {
    const broken = new AbortController();
    const campaigns = Array.from({ length: GATEWAYS }, async (_, index) => {
      try {
        return await killMany(KILLS / GATEWAYS, seeded(SEED + 2 * index), broken.signal);
      } catch (error) {
        broken.abort(error);
        throw error;
      }
    });
    await Promise.allSettled(campaigns);
    const ended = await Promise.all(campaigns);
    for (const campaign of ended) context.diagnostic(campaign.report());
    const kinds = KINDS.map((kind) => [kind, sum(ended, kind)] as const);
    context.diagnostic(kinds.map(([kind, count]) => `${count} ${kind}`).join(', '));
    if (KILLS < KILLS_OF_EACH_KIND) return;
    for (const [kind, count] of kinds) assert.ok(count > 0, `no kill of kind ${kind}`);
  },
);

async function killMany(kills: number, entropy: Entropy, signal: AbortSignal): Promise<Campaign> {
  let way: Way | undefined;
  const world = await openWorld(async (port) => {
    way = await startWay({ to: port });
    // On loopback alone the kernel would hand over all that a killed process has written, and a
    // sender that deletes too early would go unnoticed.
    way.weather({ delayMs: WAY_MS, fatal: true });
    return way.port;
  });
  const pmus = await Promise.all(
    RATES.map((rate, index) => startPmuSimulator({ idCode: index + 1, rate })),
  );
  const sources = pmus.map(({ port }, index) => {
    const link = { kind: 'tcp', host: '127.0.0.1', port };
    return { name: `pmu${index + 1}`, protocol: 'c37118', idCode: index + 1, link };
  });
  let silent: Promise<unknown> | undefined;
  const silence = (): Promise<unknown> => (silent ??= Promise.all(pmus.map((pmu) => pmu.stop())));
  const campaign = new Campaign(world, sources);
  try {
    for (let kill = 0; kill < kills; kill += 1) {
      signal.throwIfAborted();
      await campaign.kill(momentOf(entropy));
    }
    await campaign.finish(silence);
    return campaign;
  } finally {
    await silence();
    await world.dispose();
    await way?.stop();
  }
}

function sum(campaigns: readonly Campaign[], kind: string): number {
  return campaigns.reduce((count, campaign) => count + campaign.count(kind), 0);
}

function isOver({ ended }: GatewayProcess, afterMs: number): Promise<boolean> {
  return Promise.race([ended.then(() => true), pause(afterMs, false)]);
}

/** Settles when something has been stored; `false` when it died before. */
function storing(gateway: GatewayProcess): Promise<boolean> {
  const stores = gateway.until(({ sources }) => sources.some(({ stored }) => stored > 0));
  return stores.then(
    () => true,
    () => false,
  );
}

/** One gateway, killed again and again, and what must be true of it. */
class Campaign {
  readonly #world: World;
  readonly #sources: readonly Source[];
  readonly #names: readonly string[];
  readonly #deliveries: ReadonlyMap<string, Deliveries>;
  readonly #moments = new Map<string, number>();
  #kept: ReadonlyMap<string, readonly number[]>;
  /** From its start until it stores something took the last one so long. */
  #startMs = 500;
  #seen = 0;
  #confirmed = 0;

  constructor(world: World, sources: readonly Source[]) {
    this.#world = world;
    this.#sources = sources;
    this.#names = sources.map(({ name }) => name);
    this.#deliveries = new Map(this.#names.map((name) => [name, new Deliveries('gw-1', name)]));
    this.#kept = new Map(this.#names.map((name) => [name, []]));
  }

  async kill(moment: Moment): Promise<void> {
    const operation = moment.kind === 'operation' ? { kill: moment.operation } : {};
    const environment = recorded({ watch: join(this.#world.folder, 'state'), ...operation });
    const gateway = await this.#start(environment);
    const confirmed = this.#watch(gateway);
    await Promise.race([this.#comes(moment, gateway), this.#lives(gateway)]);
    const struck = await isOver(gateway, 0);
    await gateway.end('SIGKILL');
    this.#count(moment, struck);
    this.#check(await confirmed);
  }

  /** Lives on until nothing is owed any more, and compares what was kept with what has arrived. */
  async finish(silence: () => Promise<unknown>): Promise<void> {
    const gateway = await this.#start({});
    await gateway.until(({ sources }) => sources.every(({ stored }) => stored > 0));
    await silence();
    await gateway.until(
      ({ sources, backends: [backend] }) =>
        sources.every(({ taken, stored, link }) => link.state !== 'up' && taken === stored) &&
        backend?.queued === 0,
    );
    assert.equal(await gateway.end('SIGTERM'), 0);
    const kept = keptIn(join(this.#world.folder, 'state/store'), this.#names);
    await this.#world.subscriber.until(() => {
      this.#take();
      return this.#names.every((name) => this.#arrived(name) >= (kept.get(name)?.length ?? 0));
    });
    for (const [name, { observations }] of this.#deliveries) {
      const times = observations.map(({ timeMs }) => timeMs);
      assert.deepEqual(times, kept.get(name), `${name}: all that was kept, in order`);
    }
  }

  /** Kills of this kind that struck. */
  count(kind: string): number {
    const all = [...this.#moments].filter(([name]) => name.startsWith(kind));
    return all.reduce((count, [, times]) => count + times, 0);
  }

  report(): string {
    const all = [...this.#deliveries.values()];
    const delivered = all.reduce((sum, { observations }) => sum + observations.length, 0);
    const repeats = all.reduce((sum, deliveries) => sum + deliveries.repeats, 0);
    const moments = [...this.#moments].map(([name, count]) => `${count} ${name}`).sort();
    const what = `${delivered} delivered, ${repeats} repeats, ${this.#confirmed} confirmed`;
    return `${what}; ${moments.join(', ')}`;
  }

  #start(environment: Readonly<Record<string, string>>): Promise<GatewayProcess> {
    const runtime = { ...nativeRuntime, environment };
    return this.#world.start(this.#sources, { runtime, file: join(bundle, 'normd.mjs') });
  }

  /** Asks for the status until death; the last answer says what had been confirmed before it. */
  async #watch(gateway: GatewayProcess): Promise<ReadonlyMap<string, number>> {
    let confirmed: ReadonlyMap<string, number> = new Map();
    while (!(await isOver(gateway, POLL_MS))) {
      const status = await askStatus(this.#world.socket).catch(() => undefined); // not yet, or dead
      if (status !== undefined) {
        confirmed = new Map(
          status.sources.map(({ name, stored, lastReadings }) => {
            return [name, stored === 0 ? 0 : stored / lastReadings.length] as const;
          }),
        );
      }
    }
    return confirmed;
  }

  /** Settles when the moment is there; after the death that it brings, where it brings one. */
  async #comes(moment: Moment, gateway: GatewayProcess): Promise<void> {
    switch (moment.kind) {
      case 'starting':
        return pause(moment.share * this.#startMs);
      case 'running':
        if (await storing(gateway)) await pause(moment.afterMs);
        return;
      case 'sending': {
        const { packs } = this.#world.subscriber;
        const before = packs.length;
        return this.#world.subscriber.until(() => packs.length >= before + moment.deliveries);
      }
      case 'operation':
        await gateway.ended;
    }
  }

  /** A life whose moment does not come is ended by the clock. */
  async #lives(gateway: GatewayProcess): Promise<void> {
    const start = performance.now();
    if (!(await storing(gateway))) return;
    this.#startMs = performance.now() - start;
    await pause(LIFE_MS_MAX);
  }

  /** What was confirmed is there, after what was there before, of which nothing is missing. */
  #check(confirmed: ReadonlyMap<string, number>): void {
    this.#take();
    const kept = keptIn(join(this.#world.folder, 'state/store'), this.#names);
    for (const name of this.#names) {
      const before = this.#kept.get(name) ?? [];
      const now = kept.get(name) ?? [];
      assert.deepEqual(now.slice(0, before.length), before, `${name}: what was kept is kept`);
      const more = now.length - before.length;
      const least = confirmed.get(name) ?? 0;
      assert.ok(more >= least, `${name}: ${least} were confirmed, ${more} are there`);
      this.#confirmed += least;
    }
    this.#kept = kept;
  }

  #take(): void {
    const { packs } = this.#world.subscriber;
    for (const pack of packs.slice(this.#seen)) {
      for (const deliveries of this.#deliveries.values()) deliveries.take(pack);
    }
    this.#seen = packs.length;
  }

  #arrived(name: string): number {
    return this.#deliveries.get(name)?.observations.length ?? 0;
  }

  #count(moment: Moment, struck: boolean): void {
    const met = moment.kind === 'operation' ? (struck ? moment.name : 'by the clock') : moment.kind;
    this.#moments.set(met, (this.#moments.get(met) ?? 0) + 1);
  }
}
