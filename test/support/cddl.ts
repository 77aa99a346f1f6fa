/**
 * Checks values against CDDL (RFC 8610), as far as our schema uses it: rules for types and groups,
 * choices, occurrence (? * +), maps with literal keys, arrays, ranges, .regexp, tag 4 and the
 * prelude's int, uint, float, tstr, bstr, bool. Anything else in a schema is an error here.
 */
export class Cddl {
  readonly #rules = new Map<string, Entry>();

  constructor(text: string) {
    const parser = new Parser(tokensOf(text));
    while (!parser.ended) {
      const name = parser.next();
      parser.expect('=');
      this.#rules.set(name, parser.peek() === '(' ? parser.entry() : typed(parser.type()));
    }
  }

  matches(rule: string, value: unknown): boolean {
    return this.#isType({ kind: 'name', name: rule }, value);
  }

  #isType(type: Type, value: unknown): boolean {
    switch (type.kind) {
      case 'choice':
        return type.of.some((one) => this.#isType(one, value));
      case 'decimal':
        return value instanceof TaggedDecimal && this.#isType(type.content, value.parts);
      case 'array':
        return Array.isArray(value) && this.#ends(type.group, value).has(value.length);
      case 'map':
        return this.#rests(type.group, pairsOf(value)).some((rest) => rest.length === 0);
      case 'name':
        return this.#isNamed(type.name, value);
      default:
        return isScalar(type, value);
    }
  }

  #isNamed(name: string, value: unknown): boolean {
    const prelude = PRELUDE[name];
    if (prelude !== undefined) return prelude(value);
    const { type } = this.#rule(name);
    if (type === undefined) throw new Error(`${name} is a group`);
    return this.#isType(type, value);
  }

  #rule(name: string): Entry {
    const rule = this.#rules.get(name);
    if (rule === undefined) throw new Error(`no rule ${name}`);
    return rule;
  }

  /** The entry that a name without a key stands for: a group's, or one of that type. */
  #inlined(entry: Entry): Entry {
    if (entry.key !== undefined || entry.type?.kind !== 'name') return entry;
    if (PRELUDE[entry.type.name] !== undefined) return entry;
    const { group } = this.#rule(entry.type.name);
    return group === undefined ? entry : { least: entry.least, most: entry.most, group };
  }

  /** Where in `items` the group can end when it begins at `at`. */
  #ends(group: Group, items: readonly unknown[], at = 0): ReadonlySet<number> {
    const ends = new Set<number>();
    for (const choice of group) {
      let places: ReadonlySet<number> = new Set([at]);
      for (const entry of choice) {
        places = union([...places].map((place) => this.#entryEnds(entry, items, place)));
      }
      for (const place of places) ends.add(place);
    }
    return ends;
  }

  #entryEnds(named: Entry, items: readonly unknown[], at: number): ReadonlySet<number> {
    const entry = this.#inlined(named);
    const ends = new Set<number>(entry.least === 0 ? [at] : []);
    let places: ReadonlySet<number> = new Set([at]);
    for (let times = 1; times <= entry.most && places.size > 0; times += 1) {
      places = union([...places].map((place) => this.#once(entry, items, place)));
      if (times >= entry.least) for (const place of places) ends.add(place);
    }
    return ends;
  }

  #once({ type, group }: Entry, items: readonly unknown[], at: number): ReadonlySet<number> {
    if (group !== undefined) return this.#ends(group, items, at);
    const good = type !== undefined && at < items.length && this.#isType(type, items[at]);
    return new Set(good ? [at + 1] : []);
  }

  /** What can be left of a map's pairs after the group took its own. */
  #rests(group: Group, pairs: readonly Pair[]): readonly (readonly Pair[])[] {
    return group.flatMap((choice) => {
      let rests: readonly (readonly Pair[])[] = [pairs];
      for (const entry of choice) rests = rests.flatMap((rest) => this.#entryRests(entry, rest));
      return rests;
    });
  }

  #entryRests(named: Entry, pairs: readonly Pair[]): readonly (readonly Pair[])[] {
    const { key, type, group, least } = this.#inlined(named);
    const without = least === 0 ? [pairs] : [];
    if (group !== undefined) return [...this.#rests(group, pairs), ...without];
    if (key === undefined || type === undefined) throw new Error('a map needs keys');
    const at = pairs.findIndex(([name, value]) => name === key && this.#isType(type, value));
    return at < 0 ? without : [pairs.filter((_, index) => index !== at)];
  }
}

/** How a test's CBOR decoder hands over tag 4. */
export class TaggedDecimal {
  readonly parts: unknown;

  constructor(parts: unknown) {
    this.parts = parts;
  }
}

type Pair = readonly [unknown, unknown];
type Group = readonly (readonly Entry[])[];

interface Entry {
  readonly least: number;
  readonly most: number;
  readonly key?: string | number;
  readonly type?: Type;
  readonly group?: Group;
}

type Scalar =
  | { readonly kind: 'literal'; readonly value: string | number }
  | { readonly kind: 'range'; readonly from: number; readonly to: number }
  | { readonly kind: 'regexp'; readonly form: RegExp };

type Type =
  | Scalar
  | { readonly kind: 'choice'; readonly of: readonly Type[] }
  | { readonly kind: 'decimal'; readonly content: Type }
  | { readonly kind: 'array' | 'map'; readonly group: Group }
  | { readonly kind: 'name'; readonly name: string };

const PRELUDE: Readonly<Record<string, (value: unknown) => boolean>> = {
  int: isWhole,
  uint: (value) => isWhole(value) && Number(value) >= 0,
  float: (value) => typeof value === 'number',
  tstr: (value) => typeof value === 'string',
  bstr: (value) => value instanceof Uint8Array,
  bool: (value) => typeof value === 'boolean',
};

function isScalar(type: Scalar, value: unknown): boolean {
  if (type.kind === 'literal') return value === type.value;
  if (type.kind === 'regexp') return typeof value === 'string' && type.form.test(value);
  return isWhole(value) && Number(value) >= type.from && Number(value) <= type.to;
}

function isWhole(value: unknown): boolean {
  return typeof value === 'bigint' || Number.isInteger(value);
}

function pairsOf(value: unknown): readonly Pair[] {
  if (value instanceof Map) return [...(value as ReadonlyMap<unknown, unknown>)];
  const plain = typeof value === 'object' && value !== null && !Array.isArray(value);
  // What is no map has a pair that no schema takes.
  return plain ? Object.entries(value) : [[undefined, value]];
}

function union(sets: readonly ReadonlySet<number>[]): ReadonlySet<number> {
  return new Set(sets.flatMap((set) => [...set]));
}

function typed(type: Type): Entry {
  return { least: 1, most: 1, type };
}

const WORD = /"[^"]*"|=>|\/\/|\.\.|\.regexp\b|#6\.4|-?\d+|[A-Za-z][A-Za-z0-9-]*|[=:,?*+/(){}[\]]/;
const TOKEN = new RegExp(`;[^\\n]*|\\s+|(${WORD.source})`, 'gy');

function tokensOf(text: string): readonly string[] {
  const tokens: string[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    end = match.index + match[0].length;
    if (match[1] !== undefined) tokens.push(match[1]);
  }
  if (end < text.length) throw new Error(`not in our subset of CDDL: ${text.slice(end, end + 30)}`);
  return tokens;
}

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  get ended(): boolean {
    return this.#at >= this.#tokens.length;
  }

  peek(ahead = 0): string {
    return this.#tokens[this.#at + ahead] ?? '';
  }

  next(): string {
    this.#at += 1;
    return this.peek(-1);
  }

  expect(token: string): void {
    const seen = this.next();
    if (seen !== token) throw new Error(`CDDL: ${seen} instead of ${token}`);
  }

  type(): Type {
    const first = this.#single();
    const of = [first];
    while (this.peek() === '/') {
      this.next();
      of.push(this.#single());
    }
    return of.length === 1 ? first : { kind: 'choice', of };
  }

  entry(): Entry {
    const [least, most] = OCCURRENCES[this.peek()] ?? [1, 1];
    if (OCCURRENCES[this.peek()] !== undefined) this.next();
    if (this.peek() === '(') {
      this.next();
      return { least, most, group: this.#group(')') };
    }
    if (this.peek(1) === '=>') {
      const key = literalOf(this.next());
      this.next();
      return { least, most, key, type: this.type() };
    }
    if (this.peek(1) === ':') this.#at += 2; // a name in an array is for the reader
    return { least, most, type: this.type() };
  }

  #group(end: string): Group {
    const choices: Entry[][] = [[]];
    while (this.peek() !== end) {
      if (this.peek() === '//') choices.push([]);
      if (this.peek() === '//' || this.peek() === ',') this.next();
      else choices.at(-1)?.push(this.entry());
    }
    this.next();
    return choices;
  }

  #single(): Type {
    const token = this.next();
    if (token === '[') return { kind: 'array', group: this.#group(']') };
    if (token === '{') return { kind: 'map', group: this.#group('}') };
    if (token === '#6.4') {
      this.expect('(');
      const content = this.type();
      this.expect(')');
      return { kind: 'decimal', content };
    }
    if (this.peek() === '..') {
      this.next();
      return { kind: 'range', from: Number(token), to: Number(this.next()) };
    }
    if (this.peek() === '.regexp') {
      this.next();
      return { kind: 'regexp', form: new RegExp(`^(?:${String(literalOf(this.next()))})$`) };
    }
    if (/^["\d-]/.test(token)) return { kind: 'literal', value: literalOf(token) };
    return { kind: 'name', name: token };
  }
}

const OCCURRENCES: Readonly<Record<string, readonly [number, number]>> = {
  '?': [0, 1],
  '*': [0, Infinity],
  '+': [1, Infinity],
};

function literalOf(token: string): string | number {
  return token.startsWith('"') ? token.slice(1, -1) : Number(token);
}
