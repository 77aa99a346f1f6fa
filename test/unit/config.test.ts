import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Value } from 'typebox/value';
import { parse, stringify } from 'yaml';
import { editorSchema } from '#config/json-schema.ts';
import { parseConfiguration } from '#config/load.ts';
import type { Problem, ProblemCode } from '#config/problem.ts';
import { PATTERN_LENGTH_MAX } from '#policy/pattern.ts';
import { policyOf } from '#policy/policy.ts';
import { DEADBANDS_MAX, RULES_MAX } from '#policy/rule.ts';
import { isLoopback } from '#system/loopback.ts';
import { targetOf } from '#uplink/target.ts';
import {
  BACKEND,
  FILE,
  GOOD,
  briefs,
  folder,
  problemsIn,
  withLine,
} from '../support/configuration.ts';
import { runsOf } from '../support/fuzz.ts';

const EXAMPLE = join(import.meta.dirname, '../../firmware-ts/config/example.yaml');

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
      clock: { synchronisedFile: '/run/systemd/timesync/synchronized' },
      control: { socket: '/run/normd/control.sock' },
      store: { retainDays: 62, retainMegabytes: 256, commitDelayMs: 10 },
      sources: [
        {
          name: 'm',
          protocol: 'dlms-push',
          link: { kind: 'tcp-listen', address: '127.0.0.1', port: 4059, peersMax: 4 },
          framing: 'auto',
          keys: { encryption: join(folder, 'meter1.key') },
          authentication: 'if-key',
          silentSeconds: 3900,
        },
      ],
      backends: [],
      policy: [],
    },
  });
});

test('an outbox has bounds, and a rule a class, whether the file names them or not', () => {
  const given = withLine(7, `${BACKEND}'mqtt://127.0.0.1', outbox: { maxDays: 7 } }`);
  const loaded = parseConfiguration(given, FILE);
  assert.ok('configuration' in loaded);
  const { backends, policy } = loaded.configuration;
  assert.deepEqual(backends[0]?.outbox, { maxDays: 7, maxMegabytes: 256 });
  assert.equal(policy[0]?.class, 'measurement');
  const alarm = parseConfiguration(GOOD.replace("objects: ['*']", '$&, class: alarm'), FILE);
  assert.ok('configuration' in alarm);
  assert.equal(alarm.configuration.policy[0]?.class, 'alarm');
});

test('a deadband has a band, a longest silence, and policy takes it as it was written', () => {
  const withDeadband = (...deadbands: string[]): string =>
    GOOD.replace("objects: ['*']", `$&, deadband: [${deadbands.join(', ')}]`);
  const band = "{ objects: ['*/frequency'], absolute: 0.1, percent: 5 }";
  const loaded = parseConfiguration(withDeadband(band), FILE);
  assert.ok('configuration' in loaded);
  const { policy } = loaded.configuration;
  assert.deepEqual(policy[0]?.deadband, [
    { objects: ['*/frequency'], absolute: 0.1, percent: 5, maxSeconds: 900 },
  ]);
  const most = parseConfiguration(
    withDeadband(...Array.from({ length: DEADBANDS_MAX }, () => band)),
    FILE,
  );
  assert.ok('configuration' in most);
  policyOf(most.configuration.policy, ['lan']);
  const place = 'policy[0].deadband[0]';
  for (const [deadband, expected] of [
    ["{ objects: ['*'] }", `missing-key 9 ${place}.absolute`],
    ["{ objects: ['*'], absolute: -0.1 }", `out-of-range 9 ${place}.absolute`],
    ["{ objects: ['*'], percent: 100.5 }", `out-of-range 9 ${place}.percent`],
    ["{ objects: ['*'], absolute: .nan }", `wrong-type 9 ${place}.absolute`],
    ["{ objects: ['*'], absolute: .inf }", `wrong-type 9 ${place}.absolute`],
    ["{ objects: ['*'], absolute: much }", `wrong-type 9 ${place}.absolute`],
    ["{ objects: ['*'], absolute: 1, maxSeconds: 0 }", `out-of-range 9 ${place}.maxSeconds`],
    ["{ objects: ['*'], absolute: 1, maxSeconds: 0.5 }", `wrong-type 9 ${place}.maxSeconds`],
    ['{ objects: [], absolute: 1 }', `out-of-range 9 ${place}.objects`],
  ] as const) {
    assert.deepEqual(briefs(withDeadband(deadband)), [expected]);
  }
});

test('a replay may be held to the port of its device', () => {
  const link = '{ kind: replay, file: rehearsal.pcap, port: 4712 }';
  const loaded = parseConfiguration(
    withLine(4, `  - { name: m1, protocol: p1, link: ${link} }`),
    FILE,
  );
  assert.ok('configuration' in loaded);
  assert.deepEqual(loaded.configuration.sources[0]?.link, {
    kind: 'replay',
    file: join(folder, 'rehearsal.pcap'),
    pace: 'original',
    port: 4712,
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

test('policy takes as many rules and as long patterns as a configuration may hold, no more', () => {
  const policyLines = (count: number, length: number): string => {
    const rule = `  - { to: lan, purpose: p, sources: [m1], objects: ['${'x'.repeat(length)}'] }\n`;
    return GOOD.slice(0, GOOD.indexOf('  - { to:')) + rule.repeat(count);
  };
  const most = parseConfiguration(policyLines(RULES_MAX, 1), FILE);
  assert.ok('configuration' in most);
  policyOf(most.configuration.policy, ['lan']);
  const longest = parseConfiguration(policyLines(1, PATTERN_LENGTH_MAX), FILE);
  assert.ok('configuration' in longest);
  policyOf(longest.configuration.policy, ['lan']);
  assert.deepEqual(briefs(policyLines(RULES_MAX + 1, 1)), ['out-of-range 9 policy']);
  const long = briefs(policyLines(1, PATTERN_LENGTH_MAX + 1));
  assert.deepEqual(long, ['not-allowed 9 policy[0].objects[0]']);
});

test('what stays on this machine: its addresses in any form, and its one name', () => {
  for (const [host, expected] of [
    ['127.0.0.1', true],
    ['127.8.9.10', true],
    ['::1', true],
    ['[::1]', true],
    ['0:0:0:0:0:0:0:1', true],
    ['::ffff:127.0.0.1', true],
    ['[::ffff:7f00:1]', true],
    ['localhost', true],
    ['LOCALHOST', true],
    ['127.1', false],
    ['0.0.0.0', false],
    ['::', false],
    ['::ffff:10.0.0.1', false],
    ['localhost.evil.com', false],
    ['127.0.0.1.evil.com', false],
    ['', false],
  ] as const) {
    assert.equal(isLoopback(host), expected, host);
  }
});

test('any URL is refused with a code, or leads where the uplink can go', () => {
  const host = fc.oneof(
    fc.constantFrom('h', 'localhost', '127.0.0.1', '127.1', '[::1]', '[:::]', '[1:2]', '[', '..'),
    fc.stringMatching(/^[A-Za-z0-9._-]{1,8}$/),
    fc.string(),
  );
  const after = fc.oneof(
    fc.constantFrom('', ':', '/', ':0', ':1883', ':65535', ':65536', ':99999', ':1/x'),
    fc.string(),
  );
  const scheme = fc.constantFrom('mqtt://', 'mqtts://', 'MQTT://', '');
  const files = 'identity: { key: device.key.pem, certificate: device.pem, trust: ca.pem }';
  fc.assert(
    fc.property(scheme, host, after, (...parts) => {
      const url = parts.join('');
      const line = `${BACKEND}${JSON.stringify(url)}, ${files} }`;
      const problems = problemsIn(parseConfiguration(withLine(7, line), FILE));
      assert.ok(problems.every(({ line: at, path }) => at === 7 && path === 'backends[0].url'));
      if (problems.length === 0) assert.ok(targetOf(url).port > 0);
      else if (problems[0]?.code === 'plaintext-refused') assert.throws(() => targetOf(url));
    }),
    { numRuns: 500 },
  );
});

/** Problems that JSON Schema cannot see. */
const BEYOND_SCHEMA: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'duplicate-name',
  'unknown-reference',
  'missing-file',
  'file-too-open',
  'bad-key-file',
  'plaintext-refused',
  'bad-url',
  'not-text',
  'unknown-time-zone',
  'bad-schedule',
]);

test('the schema for editors and the loader agree about any change to the example', () => {
  const schema = editorSchema();
  const example = parse(readFileSync(EXAMPLE, 'utf8')) as object;
  assert.ok(Value.Check(schema, example));
  const places = placesIn(example);
  const value = fc.oneof(
    fc.constantFrom('tcp', 'p1', 'c37118', 'auto', 'x y', '', 'm', '8E1'),
    fc.constantFrom('mqtts://a:1', 'mqtts://h:99999', 'mqtt://[:::]', 'mqtt://127.0.0.1'),
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
    { numRuns: runsOf(400) },
  );
});

function isBeyondSchema({ code, message }: Problem): boolean {
  return BEYOND_SCHEMA.has(code) || /needs an identity|not both keys|needs a band/.test(message);
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
