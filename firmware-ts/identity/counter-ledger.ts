import { createHash } from 'node:crypto';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import type { CounterReservation } from '#protocol/dlms/invocation-counter.ts';
import { INVOCATION_COUNTER_MAX, counterExhausted } from '#protocol/dlms/invocation-counter.ts';
import { readBounded } from '#system/bounded-file.ts';
import { writeDurably } from '#system/durable-file.ts';

/** A hundred thousand keys. */
const LEDGER_BYTES_MAX = 8 * 1024 * 1024;
const VERSION = 1;

/**
 * What a counter belongs to: a key, and the system title that sends under it. Two meters with one
 * key share it, as the standard's nonce would otherwise repeat. The key is named by its digest.
 */
export function counterName(systemTitle: Uint8Array, key: Uint8Array): string {
  const digest = createHash('sha256').update('normd counter').update(key).digest();
  return `${toHex(systemTitle)}-${toHex(digest.subarray(0, 8))}`;
}

/** Opens the ledger in a file; where there is none, no counter is known. Errors: as `read`. */
export function openCounterLedger(path: string): CounterLedger {
  const text = readIfThere(path);
  return new CounterLedger(text, (content) => writeDurably(path, content, 0o600));
}

function readIfThere(path: string): string | undefined {
  try {
    return readBounded(path, { users: 'owner', bytesMax: LEDGER_BYTES_MAX }).toString();
  } catch (error) {
    if (failureOf(error).code === 'missing-file') return undefined;
    throw error;
  }
}

/**
 * How far the invocation counters of all keys were given out. The end of a reservation is durable
 * before its first number is used; what a death leaves unused is skipped. `write` replaces all that
 * is stored, or leaves it, and has made it durable when it resolves.
 */
export class CounterLedger {
  readonly #until: Map<string, number>;
  readonly #write: (content: string) => Promise<void>;
  #current: Promise<void> = Promise.resolve();
  #following: Promise<void> | undefined;

  /** Errors: `counter-file-damaged`. */
  constructor(content: string | undefined, write: (content: string) => Promise<void>) {
    this.#until = content === undefined ? new Map<string, number>() : untilIn(content);
    this.#write = write;
  }

  /**
   * The next `count` numbers of a counter, or as many as there are left, from `atLeast` on: what
   * the meter wants to see, or 0 for a key that is new. Errors: `counter-unknown` where nothing is
   * known and nothing was said, `counter-exhausted`, those of `write`.
   */
  async reserve(name: string, count: number, atLeast?: number): Promise<CounterReservation> {
    const known = this.#until.get(name) ?? atLeast;
    if (known === undefined) throw counterUnknown();
    const from = Math.max(known, atLeast ?? 0);
    if (from >= INVOCATION_COUNTER_MAX) throw counterExhausted();
    const until = Math.min(from + count, INVOCATION_COUNTER_MAX);
    this.#until.set(name, until); // at once: who asks meanwhile gets the numbers behind
    await this.#persist();
    return { from, until };
  }

  /** Where the next reservation of a counter begins; `undefined` where nothing is known of it. */
  reservedUntil(name: string): number | undefined {
    return this.#until.get(name);
  }

  /** One write is under way, and one follows it for all who came meanwhile. */
  #persist(): Promise<void> {
    this.#following ??= this.#afterCurrent();
    return this.#following;
  }

  async #afterCurrent(): Promise<void> {
    await this.#current.catch(() => undefined); // who waited for it has its error
    this.#following = undefined;
    this.#current = this.#write(contentOf(this.#until));
    await this.#current;
  }
}

function contentOf(until: ReadonlyMap<string, number>): string {
  const body = JSON.stringify({ version: VERSION, until: Object.fromEntries(until) });
  return `${body}\n${checkOf(body)}\n`;
}

function checkOf(body: string): string {
  return createHash('sha256').update(body).digest('hex');
}

/** A counter that is read too low would be used twice: what is not whole is not read. */
function untilIn(content: string): Map<string, number> {
  const [body = '', check] = content.split('\n');
  if (check !== checkOf(body)) throw damaged();
  const { version, until } = JSON.parse(body) as { version: unknown; until: unknown };
  if (version !== VERSION || typeof until !== 'object' || until === null) throw damaged();
  const entries = Object.entries(until);
  if (!entries.every(isEntry)) throw damaged();
  return new Map(entries);
}

function isEntry(entry: [string, unknown]): entry is [string, number] {
  return Number.isInteger(entry[1]);
}

function damaged(): OperatingError {
  return new OperatingError('counter-file-damaged', 'the invocation counters are damaged', {
    hint: 'put the file aside: the counters are then read from the meters anew',
  });
}

function counterUnknown(): OperatingError {
  return new OperatingError('counter-unknown', 'no invocation counter is known for this key', {
    field: 'invocation-counter',
    hint: 'read it from the meter with a public client, or begin at 0 if the key is new',
  });
}
