import { OperatingError } from '#bytes/failure.ts';
import { utf8FromBytes } from '#bytes/text.ts';

/**
 * One object of a JSON message, read field by field. What is needed is checked strictly, what is
 * not known is passed over: a later normd may add keys. Errors have the code that the message's
 * reader chose, and the field with its path.
 */
export class JsonFields {
  readonly #code: string;
  readonly #path: string;
  readonly #object: Readonly<Record<string, unknown>>;

  constructor(value: unknown, code: string, path = '') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new OperatingError(code, 'no object', { field: path === '' ? 'message' : path });
    }
    this.#code = code;
    this.#path = path;
    this.#object = value as Readonly<Record<string, unknown>>;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name);
  }

  /** A safe integer that is not below `least`. */
  integer(name: string, least = 0): number {
    const value = this.#value(name);
    if (!isInteger(value, least)) this.refuse(name, `no integer from ${least} on`);
    return value;
  }

  text(name: string, form: RegExp): string {
    const value = this.#value(name);
    if (typeof value !== 'string' || !form.test(value)) this.refuse(name, 'not of the form');
    return value;
  }

  word<Word extends string>(name: string, known: readonly Word[]): Word {
    const value = this.#value(name);
    const word = known.find((one) => one === value);
    return word ?? this.refuse(name, `none of ${known.join(', ')}`);
  }

  /** The version of the message's form, of which this one is known. */
  version(known: number): void {
    if (this.#value('version') !== known) this.refuse('version', `not ${known}`);
  }

  list(name: string, most: number): readonly unknown[] {
    const value = this.#value(name);
    if (!Array.isArray(value)) this.refuse(name, 'no list');
    if (value.length > most) this.refuse(name, `over ${most} entries`);
    return value as readonly unknown[];
  }

  objects(name: string, most: number): readonly JsonFields[] {
    return this.list(name, most).map(
      (item, index) => new JsonFields(item, this.#code, `${this.#path}${name}[${index}].`),
    );
  }

  refuse(name: string, message: string): never {
    throw new OperatingError(this.#code, message, { field: `${this.#path}${name}` });
  }

  #value(name: string): unknown {
    return this.has(name) ? this.#object[name] : undefined;
  }
}

export function isInteger(value: unknown, least: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least;
}

/** Errors: `too-large`; `code` if it is no JSON object. */
export function readJson(payload: Uint8Array, code: string, bytesMax: number): JsonFields {
  if (payload.length > bytesMax) {
    throw new OperatingError('too-large', `${payload.length} of at most ${bytesMax} bytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(utf8FromBytes(payload));
  } catch (cause) {
    throw new OperatingError(code, 'not JSON', { field: 'message', cause });
  }
  return new JsonFields(value, code);
}
