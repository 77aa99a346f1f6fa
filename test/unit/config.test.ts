import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { Value } from 'typebox/value';
import { parse, stringify } from 'yaml';
import { editorSchema } from '#config/json-schema.ts';
import { loadConfiguration, parseConfiguration, type Loaded } from '#config/load.ts';
import type { Problem, ProblemCode } from '#config/problem.ts';

const KEY = '00112233445566778899AABBCCDDEEFF';
const EXAMPLE = join(import.meta.dirname, '../../firmware-ts/config/example.yaml');

const folder = mkdtempSync(join(tmpdir(), 'normd-config-'));
after(() => rmSync(folder, { recursive: true }));

const FILE = join(folder, 'normd.yaml');
for (const [name, content, mode] of [
  ['meter1.key', `${KEY}\n`, 0o600],
  ['meter1.auth', KEY, 0o600],
  ['device.key.pem', 'key', 0o600],
  ['device.pem', 'certificate', 0o644],
  ['ca.pem', 'anchors', 0o644],
  ['rehearsal.txt', 'bytes', 0o644],
  ['open.key', KEY, 0o640],
  ['short.key', KEY.slice(2), 0o600],
  ['text.key', 'not hex', 0o600],
  ['long.key', KEY.repeat(40), 0o600],
] as const) {
  writeFileSync(join(folder, name), content);
  chmodSync(join(folder, name), mode);
}

execFileSync('mkfifo', ['-m', '600', join(folder, 'fifo.key')]);

function problemsIn(loaded: Loaded): readonly Problem[] {
  return 'problems' in loaded ? loaded.problems : [];
}

/** `code line path` of every problem. */
function briefs(text: string): readonly string[] {
  return problemsIn(parseConfiguration(text, FILE)).map(({ code, line, path }) =>
    `${code} ${line} ${path}`.trim(),
  );
}

/** A good configuration, a line an entry, so that a test may change one of them. */
const GOOD = `gateway: gw-0001
store: { retainDays: 7 }
sources:
  - { name: m1, protocol: p1, link: { kind: tcp, host: h, port: 1 } }
  - { name: pmu, protocol: c37118, idCode: 1, link: { kind: udp, port: 4713 } }
backends:
  - { name: lan, url: 'mqtt://127.0.0.1:1883' }
policy:
  - { to: lan, purpose: test, sources: [m1], objects: ['*'] }
`;

function withLine(line: number, text: string): string {
  return GOOD.split('\n')
    .map((old, index) => (index + 1 === line ? text : old))
    .join('\n');
}

test('the example in the repository is a good configuration', () => {
  const loaded = parseConfiguration(readFileSync(EXAMPLE, 'utf8'), FILE);
  assert.deepEqual(problemsIn(loaded), []);
});

test('what the file leaves out has its default, and paths begin at the folder of the file', () => {
  const text = `
gateway: g
state: here
sources:
  - name: m
    protocol: dlms-push
    link: { kind: tcp-listen, port: 4059 }
    keys: { encryption: meter1.key }
`;
  assert.deepEqual(parseConfiguration(text, FILE), {
    configuration: {
      gateway: 'g',
      state: join(folder, 'here'),
      control: { socket: '/run/normd/control.sock' },
      store: { retainDays: 30, retainMegabytes: 1024 },
      sources: [
        {
          name: 'm',
          protocol: 'dlms-push',
          link: { kind: 'tcp-listen', address: '127.0.0.1', port: 4059, peersMax: 4 },
          framing: 'auto',
          keys: { encryption: join(folder, 'meter1.key') },
          authentication: 'if-key',
        },
      ],
      backends: [],
      policy: [],
    },
  });
});

test('a serial format is understood without quotes, though YAML takes 8E1 for a number', () => {
  const link8E1 = '{ kind: serial, path: /dev/x, baud: 2400, format: 8E1 }';
  const line = `  - { name: m1, protocol: p1, link: ${link8E1} }`;
  const loaded = parseConfiguration(withLine(4, line), FILE);
  assert.ok('configuration' in loaded);
  const link = loaded.configuration.sources[0]?.link;
  assert.deepEqual(link, { kind: 'serial', path: '/dev/x', baud: 2400, format: '8E1' });
});

const SOURCE = '  - { name: m1, protocol: p1, link: { kind: tcp, host: h, port: 1 }';
const BACKEND = '  - { name: lan, url: ';

/** Line, what stands there instead, and the problems that this makes. */
const BAD: readonly (readonly [string, number, string, readonly string[]])[] = [
  ['an unknown key', 2, 'store: { retainDay: 7 }', ['unknown-key 2 store.retainDay']],
  ['a key that is no text', 2, '7: 1', ['unknown-key 2 7']],
  ['a missing key', 1, '# nothing', ['missing-key 2 gateway']],
  ['a text for a number', 2, 'store: { retainDays: week }', ['wrong-type 2 store.retainDays']],
  ['a fraction', 2, 'store: { retainDays: 1.5 }', ['wrong-type 2 store.retainDays']],
  ['a number for a text', 1, 'gateway: 17', ['wrong-type 1 gateway']],
  ['a list for keys', 2, 'store: [7]', ['wrong-type 2 store']],
  ['nothing for keys', 2, 'store:', ['wrong-type 2 store']],
  ['a key without a value', 2, '{ store }', ['yaml-syntax 2']],
  ['a value out of range', 2, 'store: { retainDays: 0 }', ['out-of-range 2 store.retainDays']],
  ['a name that begins with a hyphen', 1, 'gateway: -a', ['not-allowed 1 gateway']],
  [
    'a name that begins with an underscore',
    4,
    '  - { name: _a, protocol: p1, link: { kind: tcp, host: h, port: 1 } }',
    ['not-allowed 4 sources[0].name'],
  ],
  ['a text with a blank', 1, 'gateway: a b', ['not-allowed 1 gateway']],
  [
    'a word not known',
    4,
    `${SOURCE}, authentication: maybe }`,
    ['not-allowed 4 sources[0].authentication'],
  ],
  [
    'an unknown protocol',
    4,
    '  - { name: m1, protocol: p2, link: { kind: tcp, host: h, port: 1 } }',
    ['not-allowed 4 sources[0].protocol'],
  ],
  ['no protocol', 4, '  - { name: m1 }', ['missing-key 4 sources[0].protocol']],
  [
    'a key of another kind of link',
    4,
    '  - { name: m1, protocol: p1, link: { kind: tcp, host: h, port: 1, baud: 9600 } }',
    ['unknown-key 4 sources[0].link.baud'],
  ],
  ['a name used twice', 5, `${SOURCE} }`, ['duplicate-name 5 sources[1].name']],
  ['a key written twice', 2, 'gateway: other', ['duplicate-key 2']],
  [
    'a policy for nobody',
    7,
    "  - { name: wan, url: 'mqtt://[::1]' }",
    ['unknown-reference 9 policy[0].to'],
  ],
  [
    'a policy about an unknown source',
    4,
    '  - { name: m2, protocol: p1, link: { kind: tcp, host: h, port: 1 } }',
    ['unknown-reference 9 policy[0].sources[0]'],
  ],
  [
    'plaintext to the network',
    7,
    `${BACKEND}'mqtt://example.org' }`,
    ['plaintext-refused 7 backends[0].url'],
  ],
  [
    'TLS without an identity',
    7,
    `${BACKEND}'mqtts://example.org' }`,
    ['missing-key 7 backends[0].identity'],
  ],
  [
    'another protocol of transport',
    7,
    `${BACKEND}'https://127.0.0.1' }`,
    ['not-allowed 7 backends[0].url'],
  ],
  [
    'a missing file',
    4,
    '  - { name: m1, protocol: p1, link: { kind: replay, file: nowhere } }',
    ['missing-file 4 sources[0].link.file'],
  ],
  [
    'a folder for a file',
    4,
    '  - { name: m1, protocol: p1, link: { kind: replay, file: . } }',
    ['missing-file 4 sources[0].link.file'],
  ],
  [
    'a key file that others may read',
    4,
    `${SOURCE}, keys: { encryption: open.key } }`,
    ['file-too-open 4 sources[0].keys.encryption'],
  ],
  [
    'a key file without end',
    4,
    `${SOURCE}, keys: { encryption: long.key } }`,
    ['bad-key-file 4 sources[0].keys.encryption'],
  ],
  [
    'a FIFO for a file',
    4,
    '  - { name: m1, protocol: p1, link: { kind: replay, file: fifo.key } }',
    ['missing-file 4 sources[0].link.file'],
  ],
  [
    'a key file of 15 bytes',
    4,
    `${SOURCE}, keys: { encryption: short.key } }`,
    ['bad-key-file 4 sources[0].keys.encryption'],
  ],
  [
    'a demand that no key can meet',
    4,
    `${SOURCE}, keys: { encryption: meter1.key }, authentication: require }`,
    ['missing-key 4 sources[0].keys'],
  ],
  [
    'a time zone that there is not',
    4,
    `${SOURCE}, timeZone: Europe/Amsterdan }`,
    ['unknown-time-zone 4 sources[0].timeZone'],
  ],
  ['a tag', 1, 'gateway: !env NAME', ['yaml-tag 1']],
  ['YAML that is none', 2, 'store: { retainDays: 7', ['yaml-syntax 3']],
  ['an alias without an anchor', 1, 'gateway: *name', ['yaml-alias 1 gateway']],
  ['no source at all', 3, 'sources: []\nx:', ['out-of-range 3 sources', 'unknown-key 4 x']],
];

for (const [what, line, text, expected] of BAD) {
  test(`${what} is refused with its line and path`, () => {
    const found = briefs(withLine(line, text));
    for (const brief of expected) assert.ok(found.includes(brief), `${brief} in ${String(found)}`);
  });
}

test('a good file has no problem, and each bad one only those that it should have', () => {
  assert.deepEqual(briefs(GOOD), []);
  const alone: readonly ProblemCode[] = ['unknown-key', 'wrong-type', 'out-of-range'];
  for (const [what, line, text, expected] of BAD) {
    if (!alone.some((code) => expected.length === 1 && expected[0]?.startsWith(code))) continue;
    assert.deepEqual(briefs(withLine(line, text)), expected, what);
  }
});

test('all problems come at once, in the order of the file, each with a hint', () => {
  const text = `
gatway: gw
store: { retainDays: 0 }
sources:
  - { name: a, protocol: p3, link: { kind: tcp } }
  - { name: b, protocol: p1, link: { kind: tcp } }
policy:
  - { to: nobody, purpose: x, sources: [a, c], objects: ['*'] }
`;
  const problems = problemsIn(parseConfiguration(text, FILE));
  assert.deepEqual(
    problems.map(({ code, line }) => [code, line]),
    [
      ['unknown-key', 2],
      ['missing-key', 2],
      ['out-of-range', 3],
      ['not-allowed', 5],
      ['missing-key', 6],
      ['missing-key', 6],
      ['unknown-reference', 8],
      ['unknown-reference', 8],
    ],
    'and a source that has problems of its own is known by its name',
  );
  for (const { hint, file, column } of problems) assert.ok(hint && file === FILE && column > 0);
});

test('a slip is answered with what was meant, and with everything allowed', () => {
  const [problem] = problemsIn(parseConfiguration(withLine(1, 'gatewy: gw'), FILE));
  assert.match(problem?.hint ?? '', /gateway/);
  assert.ok(problem?.allowed?.includes('policy'));
  const zone = withLine(4, `${SOURCE}, timeZone: Europe/Helsinky }`);
  assert.match(problemsIn(parseConfiguration(zone, FILE))[0]?.hint ?? '', /Europe\/Helsinki/);
});

test('a file that cannot be read, is empty, or is no configuration at all is one problem', () => {
  const codesOf = (path: string) => problemsIn(loadConfiguration(path)).map(({ code }) => code);
  assert.deepEqual(codesOf(join(folder, 'none.yaml')), ['unreadable-file']);
  assert.deepEqual(codesOf(folder), ['unreadable-file']);
  const path = join(folder, 'large.yaml');
  writeFileSync(path, '#'.repeat(300 * 1024));
  assert.deepEqual(codesOf(path), ['too-large']);
  writeFileSync(path, '');
  assert.deepEqual(codesOf(path), ['wrong-type']);
});

test('aliases that multiply and brackets without end are refused in bounded time', () => {
  const lines = ["a: &a ['*']"];
  for (let depth = 1; depth < 30; depth += 1) {
    const [before, name] = [`l${depth - 1}`, `l${depth}`].map((one) => (one === 'l0' ? 'a' : one));
    lines.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(', ')}]`);
  }
  assert.ok(briefs(lines.join('\n')).length > 0);
  const rules = Array.from({ length: 1000 }, () => '  - *rule').join('\n');
  const objects = Array.from({ length: 1000 }, () => "'*'").join(', ');
  const rule = `x: &rule { to: lan, purpose: p, sources: [m1], objects: [${objects}] }\npolicy:\n`;
  assert.ok(briefs(`${rule}${rules}\n`).some((brief) => brief.startsWith('yaml-alias')));
  assert.ok(briefs('['.repeat(200_000)).every((brief) => brief.startsWith('yaml-syntax')));
});

/** Problems that JSON Schema cannot see. */
const BEYOND_SCHEMA: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'duplicate-name',
  'unknown-reference',
  'missing-file',
  'file-too-open',
  'bad-key-file',
  'plaintext-refused',
  'unknown-time-zone',
]);

test('the schema for editors and the loader agree about any change to the example', () => {
  const schema = editorSchema();
  const example = parse(readFileSync(EXAMPLE, 'utf8')) as object;
  assert.ok(Value.Check(schema, example));
  const places = placesIn(example);
  const value = fc.oneof(
    fc.constantFrom('tcp', 'p1', 'c37118', 'auto', 'mqtts://a:1', 'x y', '', 'm', '8E1'),
    fc.constantFrom<unknown>(0, 1, 65535, 65536, -1, 1.5, true, null, [], {}, ['a']),
  );
  const change = fc.record({
    place: fc.constantFrom(...places),
    act: fc.constantFrom('remove', 'replace', 'add'),
    value,
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const changed: unknown = structuredClone(example);
      for (const one of changes) apply(changed, one);
      const problems = problemsIn(parseConfiguration(stringify(changed), FILE));
      const refused = problems.filter((problem) => !isBeyondSchema(problem));
      assert.equal(refused.length === 0, Value.Check(schema, changed), JSON.stringify(problems));
    }),
    { numRuns: 400 },
  );
});

function isBeyondSchema({ code, message }: Problem): boolean {
  return BEYOND_SCHEMA.has(code) || /needs an identity|not both keys/.test(message);
}

type Place = readonly (string | number)[];

function placesIn(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at];
  const keys: Place = Array.isArray(value) ? value.map((_, index) => index) : Object.keys(value);
  const inner = keys.flatMap((key) =>
    placesIn((value as Record<string | number, unknown>)[key], [...at, key]),
  );
  return at.length === 0 ? inner : [at, ...inner];
}

/** Changes one place, if an earlier change has left it there. */
function apply(
  root: unknown,
  { place, act, value }: { place: Place; act: string; value: unknown },
): void {
  let parent = root as Record<string | number, unknown> | null | undefined;
  for (const key of place.slice(0, -1)) {
    parent = parent?.[key] as typeof parent;
    if (typeof parent !== 'object' || parent === null) return;
  }
  const key = place.at(-1);
  if (parent === null || parent === undefined || key === undefined) return;
  if (act === 'replace') parent[key] = value;
  else if (Array.isArray(parent)) parent.splice(Number(key), act === 'remove' ? 1 : 0);
  else if (act === 'add') parent['extra'] = value;
  else Reflect.deleteProperty(parent, key);
}
