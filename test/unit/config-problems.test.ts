import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfiguration, parseConfiguration } from '#config/load.ts';
import {
  BACKEND,
  FILE,
  GOOD,
  SOURCE,
  briefs,
  folder,
  problemsIn,
  withLine,
} from '../support/configuration.ts';

const PROFILE = "read: { kind: profile, object: '1-0:99.1.0' }";

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
    ['not-allowed 4 sources[0].name', 'unknown-reference 9 policy[0].sources[0]'],
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
  [
    'a port of another for a device that sends by itself',
    4,
    '  - { name: m1, protocol: dlms-push, link: { kind: udp-client, host: h, port: 1 } }',
    ['not-allowed 4 sources[0].link'],
  ],
  [
    'a port of our own for a meter that is asked',
    4,
    `  - { name: m1, protocol: dlms, link: { kind: udp, port: 1 }, ${PROFILE} }`,
    ['not-allowed 4 sources[0].link'],
  ],
  [
    'an outbox that may keep nothing',
    7,
    `${BACKEND}'mqtt://127.0.0.1', outbox: { maxDays: 0 } }`,
    ['out-of-range 7 backends[0].outbox.maxDays'],
  ],
  [
    'a class that there is not',
    9,
    "  - { to: lan, purpose: p, sources: [m1], objects: ['*'], class: urgent }",
    ['not-allowed 9 policy[0].class'],
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
  [
    'no source at all',
    3,
    'sources: []\nx:',
    ['out-of-range 3 sources', 'unknown-key 4 x', 'unknown-reference 10 policy[0].sources[0]'],
  ],
  [
    'a key of no kind beside no protocol',
    4,
    '  - { name: m1, speed: 1, link: { host: h, speed: 2 } }',
    [
      'missing-key 4 sources[0].protocol',
      'unknown-key 4 sources[0].speed',
      'missing-key 4 sources[0].link.kind',
      'unknown-key 4 sources[0].link.speed',
    ],
  ],
  ['a port beyond the last', 7, `${BACKEND}'mqtts://h:99999' }`, ['bad-url 7 backends[0].url']],
  [
    'a further broker in the clear',
    7,
    `${BACKEND}'mqtt://localhost', brokers: [{ url: 'mqtt://b.example' }] }`,
    ['plaintext-refused 7 backends[0].brokers[0].url'],
  ],
  [
    'a further broker of TLS without an identity',
    7,
    `${BACKEND}'mqtt://localhost', brokers: [{ url: 'mqtts://b.example' }] }`,
    ['missing-key 7 backends[0].identity'],
  ],
  [
    'a schedule that never comes',
    7,
    `${BACKEND}'mqtt://localhost', connect: { cron: '0 0 30 2 *', minutes: 9 } }`,
    ['bad-schedule 7 backends[0].connect.cron'],
  ],
  ['port 0', 7, `${BACKEND}'mqtt://localhost:0' }`, ['bad-url 7 backends[0].url']],
  ['an address of too many colons', 7, `${BACKEND}'mqtt://[:::]' }`, ['bad-url 7 backends[0].url']],
  [
    'plaintext to a name that only begins like this machine',
    7,
    `${BACKEND}'mqtt://localhost.evil.com' }`,
    ['plaintext-refused 7 backends[0].url'],
  ],
  ['a second document', 6, '---', ['several-documents 6']],
  ['a control character', 2, 'store: { retainDays: 7 } # \0', ['not-text 2']],
  ['a byte that is no UTF-8', 2, '# \u{fffd}', ['not-text 2']],
];

for (const [what, line, text, expected] of BAD) {
  test(`${what} is refused with its line and path`, () => {
    assert.deepEqual(briefs(withLine(line, text)), expected);
  });
}

test('the good file from which the bad ones are made has no problem', () => {
  assert.deepEqual(briefs(GOOD), []);
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
      ['missing-key', 5],
      ['missing-key', 5],
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

test('what an empty file lacks can be copied from the hints', () => {
  const problems = problemsIn(parseConfiguration('# nothing\n', FILE));
  assert.deepEqual(
    problems.map(({ code, path }) => `${code} ${path}`),
    ['missing-key gateway', 'missing-key sources'],
  );
  const lines = problems.map(({ hint }) => hint.replace(/^add /, ''));
  assert.deepEqual(briefs(lines.join('\n')), []);
  const [none] = problemsIn(parseConfiguration('gateway: g\nsources: []', FILE));
  const entry = none?.hint.replace(/^.*such as /, '') ?? '';
  assert.deepEqual(briefs(`gateway: g\nsources: [${entry}]`), []);
});

test('of a text of any length and characters only the beginning is shown, escaped', () => {
  const long = `${'\u{7}\u{202e}'.repeat(10)}${'x'.repeat(5000)}`;
  const texts = [
    withLine(1, `gateway: ${JSON.stringify(long)}`),
    withLine(2, `${JSON.stringify(long)}: 1`),
    withLine(2, `store: ${JSON.stringify(long)}`),
    withLine(4, `  - { name: m1, protocol: ${JSON.stringify(long)} }`),
    withLine(2, `store: {} ${long.replaceAll('\u{7}', '?')}`),
    withLine(2, `store: !${'x'.repeat(5000)} {}`),
    withLine(1, `gateway: 1${'0'.repeat(200)}`),
  ];
  for (const text of texts) {
    const problems = problemsIn(parseConfiguration(text, FILE));
    assert.ok(problems.length > 0);
    for (const { message, path, hint } of problems) {
      for (const shown of [message, path, hint]) {
        assert.doesNotMatch(shown, /x{100}|0{100}|[\p{Cc}\p{Cf}]/u);
      }
    }
  }
});

test('a file of other bytes than text is one problem', () => {
  const path = join(folder, 'binary.yaml');
  for (const bytes of [
    readFileSync(process.execPath).subarray(0, 10_000),
    Buffer.from('\u{feff}gateway: g\n', 'utf16le'),
    Buffer.from('gateway: g\n# S\u{fc}d\n', 'latin1'),
  ]) {
    writeFileSync(path, bytes);
    assert.deepEqual(
      problemsIn(loadConfiguration(path)).map(({ code }) => code),
      ['not-text'],
    );
  }
});

test('a file that cannot be read, is empty, or is no configuration at all is said to be so', () => {
  const codesOf = (path: string) => problemsIn(loadConfiguration(path)).map(({ code }) => code);
  assert.deepEqual(codesOf(join(folder, 'none.yaml')), ['unreadable-file']);
  assert.deepEqual(codesOf(folder), ['unreadable-file']);
  const path = join(folder, 'large.yaml');
  writeFileSync(path, '#'.repeat(300 * 1024));
  assert.deepEqual(codesOf(path), ['too-large']);
  writeFileSync(path, '');
  assert.deepEqual(codesOf(path), ['missing-key', 'missing-key']);
  writeFileSync(path, 'words');
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

test('a stream of a class has a name that no source has, and that fits a topic', () => {
  const rule = (source: string, of: string): string =>
    `  - { to: lan, purpose: p, sources: [${source}], objects: ['*'], class: ${of} }`;
  const named = (name: string, of: string): readonly string[] =>
    briefs(
      withLine(4, SOURCE.replace('m1', name) + ' }').replace(
        / {2}- \{ to:.*/,
        `${rule(name, of)}\n${rule('pmu', 'measurement')}`,
      ),
    );
  assert.deepEqual(named('pmu_alarm', 'measurement'), []);
  assert.deepEqual(named('pmu_alarm', 'alarm'), [], 'its stream is pmu_alarm_alarm');
  const taken = GOOD.replace('name: m1', 'name: pmu_alarm').replace(
    / {2}- \{ to:.*/,
    rule('pmu', 'alarm'),
  );
  assert.deepEqual(briefs(taken), ['duplicate-name 9 policy[0].class']);
  const long = 'x'.repeat(60);
  assert.deepEqual(named(long, 'measurement'), []);
  assert.deepEqual(named(long, 'bulk'), ['bad-name 9 policy[0].class']);
});
