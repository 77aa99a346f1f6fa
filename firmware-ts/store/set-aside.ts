import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Failure, OperatingError } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import { diskFailure } from './disk-failure.ts';
import { SUFFIXES, sync } from './files.ts';

/** A file that was set aside, and is still to be salvaged. */
export interface Aside {
  readonly file: string;
  readonly failure: Failure;
}

/**
 * Names the file that is set aside and not yet salvaged. It is written before that is moved, and
 * removed when the successor is there: a power cut in between is found, and the work done again.
 */
const noteOf = (file: string): string => `${file}.salvage`;

/** Sets a file aside that nobody has open any more. Errors: codes of the disk. */
export function setAside(file: string, reason: OperatingError): Aside {
  try {
    let number = 1;
    while (isThere(`${file}.aside-${number}`)) number += 1;
    const aside = { file: `${file}.aside-${number}`, failure: failureOf(reason) };
    note(file, aside);
    move(file, aside.file);
    return aside;
  } catch (error) {
    throw diskFailure(error);
  }
}

/** What a start has set aside and not salvaged to its end; a move cut short is finished. */
export function asideOf(file: string): Aside | undefined {
  const aside = noted(file);
  if (aside === undefined) return undefined;
  const begun = isThere(aside.file);
  const isSuccessor = existsSync(file) && existsSync(aside.file);
  // One that was never moved will be found damaged again.
  if (isSuccessor || !begun) {
    settle(file);
    return undefined;
  }
  move(file, aside.file);
  return aside;
}

/** The successor is there, and durable. */
export function settle(file: string): void {
  rmSync(noteOf(file), { force: true });
  sync(dirname(file));
}

function isThere(file: string): boolean {
  return SUFFIXES.some((suffix) => existsSync(file + suffix));
}

function note(file: string, aside: Aside): void {
  const written = `${noteOf(file)}.new`;
  const { failure } = aside;
  const words = JSON.stringify({ file: basename(aside.file), failure });
  writeFileSync(written, words, { mode: 0o600 });
  sync(written);
  renameSync(written, noteOf(file));
  sync(dirname(file));
}

function noted(file: string): Aside | undefined {
  if (!existsSync(noteOf(file))) return undefined;
  try {
    const aside = JSON.parse(readFileSync(noteOf(file), 'utf8')) as Aside;
    return { ...aside, file: join(dirname(file), basename(aside.file)) };
  } catch {
    return undefined; // damaged itself: what it named is there, and is not salvaged
  }
}

/** A log without its database gets an empty one, so that names tell how far this got. */
function move(file: string, aside: string): void {
  if (!existsSync(file) && !existsSync(aside)) writeFileSync(file, '', { mode: 0o600 });
  for (const suffix of SUFFIXES) {
    if (existsSync(file + suffix)) renameSync(file + suffix, aside + suffix);
  }
  sync(dirname(file));
}
