import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { encodeRecords } from '#reading/senml.ts';
import type { Observation } from '#reading/reading.ts';
import { encodeStored } from '#reading/stored.ts';
import { nativeRuntime } from '../support/bundle.ts';
import { MAIN, type World, openWorld } from '../support/gateway.ts';
import { withoutMosquitto } from '../support/mosquitto.ts';
import { seeded } from '../support/seeded.ts';
import { Deliveries } from './deliveries.ts';
import { keptIn } from './kept.ts';
import { recorded, withoutCompiler } from './recorder.ts';

const KILLS = Number(process.env['NORMD_MIGRATION_KILLS'] ?? 6);
const SEED = Number(process.env['NORMD_SEED'] ?? Date.now() % 1_000_000);
const TIMEOUT_MS = 60_000 + KILLS * 20_000;

const NAME = 'meter';
const NUMBERS = 500;
const FIRST_MS = 1_700_000_000_000;
/** A start whose kill does not come is ended after so long; its migration is over then. */
const LIFE_MS = 2000;
/** Before which of its operations a migration dies, with the count that it comes to. */
const OPERATIONS = [
  { operation: 'W:store.db-wal', most: 60 },
  { operation: 'W:store.db-wal', most: 10 },
  { operation: 'S:store.db-wal', most: 1 },
  { operation: 'W:store.db', most: 1 },
] as const;

const TIMES = Array.from({ length: NUMBERS }, (_, number) => FIRST_MS + number * 1000);
/** Nobody answers there: nothing comes beside what is owed. */
const SOURCES = [
  {
    name: NAME,
    protocol: 'c37118',
    idCode: 1,
    link: { kind: 'tcp', host: '127.0.0.1', port: 1 },
  },
];

interface Trial {
  /** As the recorder wants it. */
  readonly kill: string;
  /** Of the old store; tells what one trial delivers from what another does. */
  readonly epoch: number;
}

test(
  `${KILLS} kills of a migration lose nothing and double nothing (seed ${SEED})`,
  { skip: withoutCompiler || withoutMosquitto, timeout: TIMEOUT_MS },
  async (context) => {
    const entropy = seeded(SEED);
    const world = await openWorld();
    const met = { old: 0, new: 0, unstruck: 0 };
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        const { operation, most } = OPERATIONS[kill % OPERATIONS.length] ?? OPERATIONS[0];
        const count = 1 + Math.floor(entropy.fraction() * most);
        const trial = { kill: `${operation}:${count}`, epoch: FIRST_MS / 1000 + kill };
        met[await killed(world, trial)] += 1;
        await deliversAll(world, trial);
      }
    } finally {
      await world.dispose();
    }
    const { old, new: done, unstruck } = met;
    context.diagnostic(`${KILLS - unstruck} migration: ${old} before its commit, ${done} after it`);
    assert.ok(old > 0, 'a migration was cut in two');
  },
);

/** A gateway of the first release is updated and dies at `kill`; answers which file it left. */
async function killed(world: World, { kill, epoch }: Trial): Promise<'old' | 'new' | 'unstruck'> {
  const state = join(world.folder, 'state');
  rmSync(state, { recursive: true, force: true });
  storeOfVersion1(join(state, 'store'), epoch);
  const runtime = { ...nativeRuntime, environment: recorded({ watch: state, kill }) };
  const gateway = await world.start(SOURCES, { runtime, file: MAIN });
  const ready = gateway
    .until(() => true)
    .then(
      () => pause(LIFE_MS, false),
      () => true,
    );
  const struck = await Promise.race([gateway.ended.then(() => true), ready]);
  await gateway.end('SIGKILL');
  if (!struck) return 'unstruck';
  return versionIn(join(state, 'store/store.db')) === 1 ? 'old' : 'new';
}

/** The next start brings over what is left, and delivers it. */
async function deliversAll(world: World, { kill, epoch }: Trial): Promise<void> {
  const { subscriber, folder } = world;
  const gateway = await world.start(SOURCES);
  await gateway.until(({ backends: [backend] }) => backend?.queued === 0);
  assert.equal(await gateway.end('SIGTERM'), 0);
  assert.deepEqual(keptIn(join(folder, 'state/store'), [NAME]).get(NAME), TIMES, kill);
  const deliveries = new Deliveries('gw-1', NAME);
  let seen = 0;
  await subscriber.until(() => {
    const more = subscriber.packs.slice(seen).filter((pack) => pack.epoch === epoch);
    for (const pack of more) deliveries.take(pack);
    seen = subscriber.packs.length;
    return deliveries.observations.length >= NUMBERS;
  });
  assert.deepEqual(
    deliveries.observations.map(({ timeMs }) => timeMs),
    TIMES,
    kill,
  );
}

const TABLES = new URL('../support/store-version-1.sql', import.meta.url);

/** What the first release would have left, had no broker ever been there. */
function storeOfVersion1(directory: string, epoch: number): void {
  mkdirSync(directory, { recursive: true });
  const database = new Sqlite(join(directory, 'store.db'));
  const [tables = ''] = readFileSync(TABLES, 'utf8').split('INSERT');
  database.exec(tables);
  database.transaction(() => fill(database, epoch))();
  database.close();
}

function fill(database: Sqlite.Database, epoch: number): void {
  const insert = (table: string, ...row: readonly unknown[]): void => {
    const values = row.map(() => '?').join(', ');
    database.prepare(`INSERT INTO ${table} VALUES (${values})`).run(...row);
  };
  insert('meta', epoch, NUMBERS + 1, NUMBERS + 1);
  insert('source', 1, NAME, 0);
  insert('backend', 1, 'head', NUMBERS, NUMBERS);
  insert('stream', 1, 1, NAME, epoch, NUMBERS);
  for (const [number, timeMs] of TIMES.entries()) {
    const observation = observationAt(number, timeMs);
    const { records, recordCount } = encodeRecords(observation);
    insert('observation', number + 1, 1, timeMs, 1, encodeStored(observation));
    insert('outbox', number + 1, 1, 1, number, timeMs, 1, recordCount, records);
  }
}

function observationAt(number: number, timeMs: number): Observation {
  const time = { second: timeMs / 1000, nanosecond: 0, clock: 'device', trust: 'trusted' } as const;
  const readings = [{ object: '1-0:1.8.0*255', raw: number, scaler: 0, unit: 'Wh' }];
  return { source: NAME, time, quality: [], readings };
}

function versionIn(file: string): number {
  const copy = `${file}.seen`;
  cpSync(file, copy);
  if (existsSync(`${file}-wal`)) cpSync(`${file}-wal`, `${copy}-wal`);
  const database = new Sqlite(copy);
  try {
    return Number(database.pragma('user_version', { simple: true }));
  } finally {
    database.close();
    for (const name of [copy, `${copy}-wal`, `${copy}-shm`]) rmSync(name, { force: true });
  }
}
