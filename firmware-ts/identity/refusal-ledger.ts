import { readBounded } from '#system/bounded-file.ts';
import { writeDurably } from '#system/durable-file.ts';

/** Refusals in a row after which a meter is left alone: many lock their port at the fifth. */
const REFUSALS_MAX = 3;
const PAUSE_MS = 7 * 86_400_000;
/** Some hundred bytes for each of a gateway's meters. */
const FILE_BYTES_MAX = 1024 * 1024;

interface Entry {
  /** Another one begins to count anew: somebody has changed something. */
  readonly fingerprint: string;
  readonly count: number;
  readonly lastMs: number;
}

/**
 * How often meters refused who asks them, kept over restarts: a gateway that restarts all day must
 * not guess all day. It holds nothing secret.
 */
export class RefusalLedger {
  readonly #path: string;
  readonly #entries: Map<string, Entry>;
  #last: Promise<void> = Promise.resolve();

  /** A file that cannot be read counts as none: that costs three tries. */
  constructor(path: string) {
    this.#path = path;
    this.#entries = entriesIn(path);
  }

  /** `fingerprint` stands for all that who asks can be refused for. */
  of(name: string, fingerprint: string): Refusals {
    return new Refusals(this, name, fingerprint);
  }

  get(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  /** Errors: those of the file system. */
  async put(name: string, entry: Entry | undefined): Promise<void> {
    if (entry === undefined && !this.#entries.delete(name)) return;
    if (entry !== undefined) this.#entries.set(name, entry);
    const write = (): Promise<void> =>
      writeDurably(this.#path, JSON.stringify([...this.#entries]), 0o600);
    this.#last = this.#last.then(write, write);
    await this.#last;
  }
}

/** The refusals of one meter. */
export class Refusals {
  readonly #ledger: RefusalLedger;
  readonly #name: string;
  readonly #fingerprint: string;

  constructor(ledger: RefusalLedger, name: string, fingerprint: string) {
    this.#ledger = ledger;
    this.#name = name;
    this.#fingerprint = fingerprint;
  }

  /** In a row, by this configuration. */
  get count(): number {
    return this.#entry?.count ?? 0;
  }

  /** For how long the meter is to be left alone; 0 where it may be asked. */
  pauseMs(nowMs: number): number {
    const entry = this.#entry;
    if (entry === undefined || entry.count < REFUSALS_MAX) return 0;
    return Math.min(PAUSE_MS, Math.max(0, entry.lastMs + PAUSE_MS - nowMs));
  }

  async refused(nowMs: number): Promise<void> {
    const fingerprint = this.#fingerprint;
    await this.#ledger.put(this.#name, { fingerprint, count: this.count + 1, lastMs: nowMs });
  }

  async succeeded(): Promise<void> {
    if (this.count > 0) await this.#ledger.put(this.#name, undefined);
  }

  get #entry(): Entry | undefined {
    const entry = this.#ledger.get(this.#name);
    return entry?.fingerprint === this.#fingerprint ? entry : undefined;
  }
}

function entriesIn(path: string): Map<string, Entry> {
  try {
    const text = readBounded(path, { users: 'owner', bytesMax: FILE_BYTES_MAX }).toString();
    const entries: unknown = JSON.parse(text);
    return new Map(Array.isArray(entries) ? entries.filter(isEntry) : []);
  } catch {
    return new Map(); // none yet, or none that can be read
  }
}

function isEntry(value: unknown): value is [string, Entry] {
  if (!Array.isArray(value) || typeof value[0] !== 'string') return false;
  const { fingerprint, count, lastMs } = (value[1] ?? {}) as Partial<Entry>;
  return typeof fingerprint === 'string' && Number.isInteger(count) && Number.isFinite(lastMs);
}
