/**
 * One life of a store, to be recorded: `workload.ts DIRECTORY FIRST APPENDS END DELAY_MS [DAMAGE]`,
 * where commits wait for others so long. It appends
 * numbered observations from FIRST on while another task delivers and acknowledges, and writes the
 * facts of obligations.ts to standard output, synchronously. END is `close` or `kill`. With DAMAGE
 * (`header`, `page`, `later`) the file is spoilt before it is opened, or while it is open.
 */
import { closeSync, fsyncSync, openSync, statSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { argv } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { openStore } from '#store/open.ts';
import type { DueEntry, Store } from '#store/store.ts';
import { failureOf } from '#bytes/failure.ts';
import { BACKENDS, numbered, numbersIn } from './content.ts';

/** Every fifth round is a burst that shares transactions; the others wait for each fsync. */
const ROUND_APPENDS = 4;
const BURST_APPENDS = 40;
const BURST_EVERY = 5;
const PAGE = 30;
/** Of the rounds of this back-end so many apart end an entry in quarantine. */
const REFUSING = BACKENDS[1];
const REFUSED_EVERY = 2;

const [directory = '', first = '0', count = '100', end = 'close', delayMs = '10', damage = ''] =
  argv.slice(2);

const say = (fact: string): void => void writeSync(1, `${fact}\n`);

if (damage === 'header' || damage === 'page') spoil(join(directory, 'store.db'));
const store = await openStore({ directory, commitDelayMs: Number(delayMs) });
const aside = store.opening.setAside?.file;
if (aside !== undefined) say(`aside ${basename(aside)}`);
if (damage === 'later') spoil(store.opening.file);
const last = Number(first) + Number(count);
let appending = true;
if (damage === 'later') await meetDamage();
const deliveries = Promise.all(BACKENDS.map((backend) => deliver(store, backend)));
await appendAll(store, Number(first), last);
appending = false;
await deliveries;
if (end === 'kill') process.kill(process.pid, 'SIGKILL');
await store.close();

async function appendAll(to: Store, from: number, before: number): Promise<void> {
  for (let next = from, round = 1; next < before; round += 1) {
    const size = round % BURST_EVERY === 0 ? BURST_APPENDS : ROUND_APPENDS;
    const numbers = Array.from({ length: Math.min(size, before - next) }, (_, k) => next + k);
    await Promise.all(numbers.map((number) => append(to, number)));
    next += numbers.length;
  }
}

async function append(to: Store, number: number): Promise<void> {
  say(`append ${number}`);
  await to.append(numbered(number));
  say(`appended ${number}`);
}

/** As an uplink would: what is due is seen, delivered, and acknowledged later, not always all. */
async function deliver(from: Store, backend: string): Promise<void> {
  for (let round = 0; round === 0 || appending; round += 1) {
    const due = await from.due(backend, 'measurement', 0, PAGE);
    for (const { stream, epoch, sequence, records } of due) {
      for (const [k, number] of numbersIn(records).entries()) {
        say(`seen ${backend} ${stream} ${epoch} ${sequence + k} ${number}`);
      }
    }
    const [refused, ...others] = withoutEnds(due, round % 4);
    const refuses = backend === REFUSING && round % REFUSED_EVERY === 1 && refused !== undefined;
    if (refuses) await refuse(from, refused, round % (2 * REFUSED_EVERY) === 1);
    const some = refuses ? others : [...(refused === undefined ? [] : [refused]), ...others];
    for (const { records } of some) {
      for (const number of numbersIn(records)) say(`acknowledge ${backend} ${number}`);
    }
    await from.acknowledge(
      backend,
      some.map(({ id }) => id),
    );
    for (const { records } of some) {
      for (const number of numbersIn(records)) say(`acknowledged ${backend} ${number}`);
    }
    await pause(15);
  }
}

/** Its broker takes an entry for what it is not; a person may have it sent again. */
async function refuse(from: Store, entry: DueEntry, resent: boolean): Promise<void> {
  const { id, stream, epoch, sequence, records } = entry;
  const numbers = numbersIn(records);
  const sayAll = (fact: string): void => {
    for (const number of numbers) say(`${fact} ${REFUSING} ${number}`);
  };
  sayAll('refuse');
  await from.quarantine(REFUSING, id, { code: 'refused-made-up', message: 'for the test' });
  sayAll('refused');
  for (const k of numbers.keys()) say(`named ${REFUSING} ${stream} ${epoch} ${sequence + k}`);
  await tell(from);
  if (!resent) return;
  sayAll('resend');
  await from.resend(REFUSING, id);
  sayAll('resent');
}

/** As a manifest that is heard. */
async function tell(from: Store): Promise<void> {
  const { streams } = await from.standing(REFUSING);
  const untold = streams.flatMap(({ stream, epoch, gaps }) =>
    gaps.filter(({ told }) => !told).map(({ first, last }) => ({ stream, epoch, first, last })),
  );
  await from.told(REFUSING, untold);
}

/** All but the last `count` of each stream: an uplink acknowledges what is in order. */
function withoutEnds(due: readonly DueEntry[], count: number): readonly DueEntry[] {
  return due.filter(({ id, stream }) => {
    const later = due.filter((other) => other.stream === stream && other.id > id);
    return later.length >= count;
  });
}

/** Noise over the start of the file, over its schema, or over all but that: as of a dying card. */
function spoil(file: string): void {
  say('damaged');
  const size = statSync(file).size;
  const [from, to] =
    damage === 'header' ? [0, 4000] : damage === 'page' ? [100, 4100] : [4096, size];
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.alloc(to - from, 0xa5), 0, to - from, from);
  fsyncSync(handle);
  closeSync(handle);
}

/** The running store finds the damage on an append, and goes on in a new file. */
async function meetDamage(): Promise<void> {
  const { promise: aside, resolve } = Promise.withResolvers<string>();
  store.onSetAside(({ file }) => resolve(file));
  const number = last;
  say(`append ${number}`);
  const code = await store.append(numbered(number)).then(
    () => 'kept',
    (error: unknown) => failureOf(error).code,
  );
  if (code !== 'store-damaged') throw new Error(`the damage was not found: ${code}`);
  say(`aside ${basename(await aside)}`);
}
