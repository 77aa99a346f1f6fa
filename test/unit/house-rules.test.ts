import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HouseFile } from '../../ci/rules/rule.ts';
import { RULES } from '../../ci/rules/table.ts';

const ARCHITECTURE = 'firmware-ts/ARCHITECTURE.md';
const LOCK: HouseFile = { path: 'package-lock.json', text: '{"packages":{}}' };
const FAILURES = 'firmware-ts/FAILURES.md';
const HOUSE: readonly HouseFile[] = [
  LOCK,
  { path: ARCHITECTURE, text: '| `bytes/` | cursor |' },
  { path: 'firmware-ts/bytes/hex.ts', text: 'export const one = 1;\n' },
];

function broken(...planted: readonly HouseFile[]): readonly string[] {
  const kept = HOUSE.filter(({ path }) => !planted.some((file) => file.path === path));
  return RULES.flatMap(({ name, check }) =>
    check([...kept, ...planted]).map(({ path }) => `${name}: ${path}`),
  );
}

const source = (text: string): HouseFile => ({ path: 'firmware-ts/bytes/hex.ts', text });
const gives = (code: string): HouseFile => source(`throw new OperatingError('${code}', 'no');\n`);
const mark = 'TO' + 'DO';
const pem = ['-----BEGIN PRIVATE', 'KEY-----\n'].join(' ') + 'A'.repeat(64);
const longFunction = `export function f() {\n${'g();\n'.repeat(45)}}\n`;

test('a clean house breaks no rule', () => assert.deepEqual(broken(), []));

for (const [fault, rule, file] of [
  ['a file of 500 lines', 'sizes', source('x;\n'.repeat(500))],
  ['a line of 120 columns', 'sizes', source('x'.repeat(120))],
  ['long functions only', 'nine functions in ten under forty lines', source(longFunction)],
  ['a promise of code', 'no promises', source(`// ${mark}: later`)],
  ['an empty catch', 'no swallowed error', source('try { f(); } catch (error) { }')],
  ['a private key', 'no private key', { path: 'pki/key.md', text: pem }],
  ['a narrowed suite', 'whole suite', { path: 'test/a.test.ts', text: 'test.' + "only('x')" }],
  ['a room without charter', 'charters', { path: 'firmware-ts/attic/box.ts', text: '' }],
  ['a charter without room', 'charters', { path: ARCHITECTURE, text: '| `bytes/` |\n| `no/` |' }],
  ['a broken link', 'links', { path: 'README.md', text: '[x](nowhere.md)' }],
  ['a record out of count', 'decisions', { path: 'firmware-ts/decisions/0002-x.md', text: '' }],
  ['a failure code that no table explains', 'failure codes', gives('bad-luck')],
  ['a code given by a helper', 'failure codes', source("f('bad-luck'); function f(code) {}")],
  ['a code in a choice', 'failure codes', source("const x = { code: y ? 'bad-luck' : z };")],
  ['a code that nothing gives', 'failure codes', { path: FAILURES, text: '| `bad-luck` | | |' }],
  ['a vector without source', 'vectors have sources', { path: 'test/vectors/a.json', text: '{}' }],
  [
    'a package under the GPL',
    'licences',
    { ...LOCK, text: '{"packages":{"node_modules/x":{"license":"GPL-3.0"}}}' },
  ],
] as const satisfies readonly (readonly [string, string, HouseFile])[]) {
  test(`${fault} breaks the rule "${rule}"`, () => {
    assert.ok(broken(file).some((line) => line.startsWith(`${rule}: `)));
  });
}

test('failure codes are listed once and in order', () => {
  const codes = "const a = { code: 'bad-hex' }, b = { code: 'noise' };";
  const tableOf = (...rows: readonly string[]): HouseFile => ({
    path: FAILURES,
    text: rows.map((code) => `| \`${code}\` | what | next |`).join('\n'),
  });
  assert.deepEqual(broken(source(codes), tableOf('bad-hex', 'noise')), []);
  assert.equal(broken(source(codes), tableOf('noise', 'bad-hex')).length, 1);
  assert.equal(broken(source(codes), tableOf('bad-hex', 'bad-hex', 'noise')).length, 1);
});

test('a link to a file, a folder or the web is no broken link', () => {
  const text = '[a](firmware-ts/bytes/hex.ts) [b](firmware-ts/) [c](https://example.org) [d](#x)';
  assert.deepEqual(broken({ path: 'README.md', text }), []);
});

test('the suite ends with its total, and counts what it skipped as failed where CI=true', () => {
  // What marks this process as part of a suite is not for a suite of its own.
  const environment = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const endOf = (CI: string): { status: number | null; last: string | undefined } => {
    const env = { ...environment, NORMD_VECTORS: '/nowhere', CI };
    const words = [join(import.meta.dirname, '../run.ts'), 'vectors/p1'];
    const { status, stdout } = spawnSync(process.execPath, words, { env, encoding: 'utf8' });
    return { status, last: stdout.trimEnd().split('\n').at(-1) };
  };
  const lenient = endOf('');
  assert.equal(lenient.status, 0);
  assert.match(lenient.last ?? '', /^[1-9]\d* passed, 0 failed$/);
  const strict = endOf('true');
  assert.equal(strict.status, 1);
  assert.match(strict.last ?? '', /^[1-9]\d* passed, [1-9]\d* failed$/);
});
