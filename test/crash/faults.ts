/**
 * A store on a disk that fails in every way and mends: `faults.ts DIRECTORY FIRST FAULTS_FILE`.
 * Writes the facts of obligations.ts, and what each fault was answered with: `answered FAULT CODE`,
 * `noted FAULT`, if acknowledgements were taken meanwhile, and `mended FAULT`.
 */
import { readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { failureOf } from '#bytes/failure.ts';
import { openStore } from '#store/open.ts';
import { BACKENDS, numbered, numbersIn } from './content.ts';

/** A disk without room, one that fails each transfer, one that was remounted after an error. */
const FAULTS = ['capacity', 'EIO', 'EROFS', 'capacity', 'EIO'] as const;
const APPENDS = 40;
const RETRY_MS = 20;

const [directory = '', first = '0', faultsFile = ''] = argv.slice(2);
const store = await openStore({ directory });
let next = Number(first);

const say = (fact: string): void => void writeSync(1, `${fact}\n`);

for (const fault of FAULTS) {
  await appendMany();
  writeFileSync(faultsFile, fault === 'capacity' ? `capacity ${usedBytes()}` : fault);
  const refusal = await refused();
  say(`answered ${fault} ${refusal}`);
  if (fault === 'capacity') {
    await acknowledgeSome();
    say(`noted ${fault}`);
  }
  rmSync(faultsFile);
  while ((await append()) !== 'kept') await pause(RETRY_MS);
  say(`mended ${fault}`);
}
process.kill(process.pid, 'SIGKILL');

function usedBytes(): number {
  const files = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
  return files.reduce((sum, size) => sum + size, 0);
}

async function appendMany(): Promise<void> {
  const codes = await Promise.all(Array.from({ length: APPENDS }, append));
  const bad = codes.find((code) => code !== 'kept');
  if (bad !== undefined) throw new Error(`a sound disk refuses: ${bad}`);
}

/** Appends until the fault is met: a full disk still has room in the log that is there. */
async function refused(): Promise<string> {
  for (;;) {
    const code = await append();
    if (code !== 'kept') return code;
  }
}

async function append(): Promise<string> {
  const number = next;
  next += 1;
  say(`append ${number}`);
  const code = await store.append(numbered(number)).then(
    () => 'kept',
    (error: unknown) => failureOf(error).code,
  );
  if (code === 'kept') say(`appended ${number}`);
  return code;
}

/** The oldest half of what is due, which must be taken however full the disk is. */
async function acknowledgeSome(): Promise<void> {
  for (const backend of BACKENDS) {
    const due = await store.due(backend, 'measurement', 0, APPENDS);
    for (const { stream, epoch, sequence, records } of due) {
      for (const [k, number] of numbersIn(records).entries()) {
        say(`seen ${backend} ${stream} ${epoch} ${sequence + k} ${number}`);
      }
    }
    const some = due.slice(0, Math.ceil(due.length / 2));
    const numbers = some.flatMap(({ records }) => numbersIn(records)).join(' ');
    say(`acknowledge ${backend} ${numbers}`);
    await store.acknowledge(
      backend,
      some.map(({ id }) => id),
    );
    say(`acknowledged ${backend} ${numbers}`);
  }
}
