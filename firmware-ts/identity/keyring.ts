import { scryptSync } from 'node:crypto';
import { statSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import type { SecuritySuite } from '#protocol/dlms/security.ts';
import { readBounded } from '#system/bounded-file.ts';
import { isCredential } from '#system/service-credentials.ts';
import type { MeterSecrets } from './meter-keys.ts';
import { MeterKeys } from './meter-keys.ts';

/** Ten thousand meters with every key. */
export const KEYRING_BYTES_MAX = 8 * 1024 * 1024;
const METERS_MAX = 10_000;

/**
 * Reads the keys of meters from a YAML file that is its owner's alone (0600): a meter's name, and
 * below it `suite`, `system-title`, `encryption`, `authentication`, `broadcast`, `master`, `secret`
 * (all hex), `password` (text), `signing`, `agreement`, `meter-signing` and `meter-agreement`.
 * Errors: `bad-keyring` and those of `readBounded`; none holds any of the content.
 */
export function readKeyring(path: string): Keyring {
  const text = readBounded(path, { users: 'owner', bytesMax: KEYRING_BYTES_MAX }).toString();
  try {
    return keyringFrom(text);
  } catch (error) {
    const { code, message, field, hint } = failureOf(error);
    // No cause: what a parser says may quote the line.
    throw new OperatingError(code, `${path}: ${message}`, {
      path,
      ...(field === undefined ? {} : { field }),
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/**
 * Another when the keyring was changed. A credential is made anew at each start, so that its times
 * tell nothing; of its content a slow digest, as a password in it could else be tried out.
 */
export function keyringMark(path: string): string {
  if (!isCredential(path)) {
    const { mtimeMs, size } = statSync(path);
    return JSON.stringify([path, mtimeMs, size]);
  }
  const content = readBounded(path, { users: 'owner', bytesMax: KEYRING_BYTES_MAX });
  return scryptSync(content, 'normd keyring', MARK_BYTES).toString('hex');
}

const MARK_BYTES = 16;

/** Keys of meters by name and by system title. It shows none of them. */
export class Keyring {
  readonly #byName: ReadonlyMap<string, MeterKeys>;
  readonly #byTitle: ReadonlyMap<string, MeterKeys>;

  constructor(meters: readonly MeterKeys[]) {
    this.#byName = new Map(meters.map((meter) => [meter.name, meter]));
    this.#byTitle = new Map(
      meters.flatMap((meter) => {
        const title = meter.systemTitle();
        return title === undefined ? [] : [[toHex(title), meter] as const];
      }),
    );
  }

  /** The meters that it has keys of. */
  names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  named(name: string): MeterKeys | undefined {
    return this.#byName.get(name);
  }

  ofTitle(systemTitle: Uint8Array): MeterKeys | undefined {
    return this.#byTitle.get(toHex(systemTitle));
  }
}

/** Errors: `bad-keyring` with line or field. */
export function keyringFrom(text: string): Keyring {
  const meters = Object.entries(mappingIn(text));
  if (meters.length > METERS_MAX) throw bad(`more than ${METERS_MAX} meters`);
  return new Keyring(meters.map(([name, fields]) => new MeterKeys(secretsOf(name, fields))));
}

function mappingIn(text: string): Readonly<Record<string, unknown>> {
  const document = documentIn(text);
  const [error] = document.errors;
  const line = error?.linePos?.[0].line;
  if (error !== undefined) throw bad(`no YAML in line ${line ?? 1}`);
  return mapping(valueOf(document), 'the file');
}

/** A warning of the parser would quote what it is about on the standard error output. */
export const KEYRING_PARSING = { prettyErrors: true, logLevel: 'error' } as const;

/** The parser recurses: brackets nested thousands deep exhaust its stack. */
function documentIn(text: string): ReturnType<typeof parseDocument> {
  try {
    return parseDocument(text, KEYRING_PARSING);
  } catch {
    throw bad('nested too deep');
  }
}

/** Aliases could make a small file a large one. */
function valueOf(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: 0, mapAsMap: true });
  } catch {
    throw bad('aliases are not read'); // the parser's own words may quote the line
  }
}

function mapping(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (!(value instanceof Map)) throw bad(`${what} is no mapping`);
  // A list or mapping as a name would be quoted, content and all, by whatever names it.
  if ([...value.keys()].some((key) => typeof key === 'object'))
    throw bad(`a name in ${what} is no text`);
  return Object.fromEntries(value) as Record<string, unknown>;
}

/** How many bytes a field has, by suite; each in hex. */
const FIELDS = {
  'system-title': ['systemTitle', [8, 8, 8]],
  encryption: ['encryption', [16, 16, 32]],
  authentication: ['authentication', [16, 16, 32]],
  broadcast: ['broadcast', [16, 16, 32]],
  master: ['master', [16, 16, 32]],
  signing: ['signing', [0, 32, 48]],
  agreement: ['agreement', [0, 32, 48]],
  'meter-signing': ['meterSigning', [0, 64, 96]],
  'meter-agreement': ['meterAgreement', [0, 64, 96]],
} as const;
const SECRET_BYTES_MAX = 64;

function secretsOf(name: string, value: unknown): MeterSecrets {
  const { suite: named = 0, ...fields } = mapping(value, name);
  const suite = suiteOf(named, name);
  const members = Object.entries(fields).map(([field, text]) => member(field, text, suite, name));
  return { name, suite, ...(Object.fromEntries(members) as Partial<MeterSecrets>) };
}

function suiteOf(value: unknown, name: string): SecuritySuite {
  if (value === 0 || value === 1 || value === 2) return value;
  throw bad(`${name}.suite is not 0, 1 or 2`, 'suite');
}

function member(
  field: string,
  text: unknown,
  suite: SecuritySuite,
  name: string,
): readonly [keyof MeterSecrets, Uint8Array] {
  const place = `${name}.${field}`;
  if (typeof text !== 'string') throw bad(`${place} is no text: put it in quotes`, field);
  if (field === 'password') return ['secret', bounded(new TextEncoder().encode(text), place)];
  if (field === 'secret') return ['secret', bounded(hexIn(text, place), place)];
  const known = Object.entries(FIELDS).find(([one]) => one === field)?.[1];
  if (known === undefined) throw bad(`${place} is no key`, field);
  const [secret, lengths] = known;
  const bytes = hexIn(text, place);
  if (bytes.length === lengths[suite]) return [secret, bytes];
  throw bad(`${place} has ${bytes.length} bytes, in suite ${suite} ${lengths[suite]}`, field);
}

function bounded(bytes: Uint8Array, place: string): Uint8Array {
  if (bytes.length <= SECRET_BYTES_MAX) return bytes;
  throw bad(`${place} is longer than ${SECRET_BYTES_MAX} bytes`);
}

function hexIn(text: string, place: string): Uint8Array {
  try {
    return fromHex(text);
  } catch {
    throw bad(`${place} is no hex`); // without its cause, which quotes a character
  }
}

function bad(message: string, field?: string): OperatingError {
  return new OperatingError('bad-keyring', message, {
    ...(field === undefined ? {} : { field }),
    hint: 'write keys in quotes, as hex digits, below the name of their meter',
  });
}
