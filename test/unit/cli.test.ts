import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '#bytes/hex.ts';
import { editorSchema } from '#config/json-schema.ts';
import { encodeHeader, simpleCommand } from '#protocol/c37118/command.ts';
import { COMMANDS } from '../../firmware-ts/cli/commands.ts';
import { ADAPTERS } from '../../firmware-ts/cli/decode/recognise.ts';
import { EXIT } from '../../firmware-ts/cli/exit-codes.ts';
import { tableLines } from '../../firmware-ts/cli/table.ts';
import { ASCII_LINES, endOf, envelope, runNormctl, startNormctl } from '../support/command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'normd-cli-'));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array, mode = 0o644): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const GOOD = file(
  'good.yaml',
  `gateway: gw-0001
sources:
  - { name: m1, protocol: p1, link: { kind: tcp, host: h, port: 1 } }
`,
);
const BAD = file('bad.yaml', 'gatewäy: x\nsources: []\n');

test('help of the program and of every verb fits the terminal and goes to stdout', async () => {
  for (const verb of ['', ...COMMANDS.map((command) => command.verb)]) {
    const { status, out, err } = await runNormctl([...verb.split(' '), '--help'].filter(Boolean));
    assert.deepEqual([status, err], [EXIT.ok, ''], verb);
    assert.match(out, ASCII_LINES);
    const wide = out.split('\n').filter((line) => line.length > 80);
    assert.deepEqual(wide, [], verb);
    const command = COMMANDS.find((one) => one.verb === verb);
    for (const { flags } of command?.options ?? []) assert.ok(out.includes(flags), flags);
  }
});

test('a wrong command line is status 2, with the reason on stderr alone', async () => {
  for (const words of [
    ['nonsense'],
    ['cofnig'],
    ['decode'],
    ['decode', 'aa', '--nonsense'],
    ['config'],
    ['config', 'check', GOOD, 'more'],
    ['decode', 'aa01', '--as', 'morse'],
    ['decode', 'aa01', '--key', '00'],
    ['decode', join(folder, 'none'), '--as', 'morse'],
  ]) {
    const { status, out, err } = await runNormctl(words);
    assert.deepEqual([status, out], [EXIT.usage, ''], words.join(' '));
    assert.match(err, ASCII_LINES);
    assert.notEqual(err, '', words.join(' '));
    assert.ok(!err.includes('\\u{'), 'no line end is shown as an escape');
  }
});

test('the help of decode names every protocol and every field of a line', async () => {
  const { out } = await runNormctl(['decode', '--help']);
  for (const { name } of ADAPTERS) assert.match(out, new RegExp(`\\b${name}\\b`));
  const fields =
    'protocol offset length ok error time quality readings stream raw scaler value unit';
  for (const field of fields.split(' ')) assert.match(out, new RegExp(`\\b${field}\\b`));
});

test('config check: a good file is status 0, a bad one 1, none 4', async () => {
  const good = await runNormctl(['config', 'check', GOOD]);
  assert.deepEqual([good.status, good.err], [EXIT.ok, '']);
  assert.match(good.out, /^good: .*gw-0001/);
  const bad = await runNormctl(['config', 'check', BAD]);
  assert.deepEqual([bad.status, bad.out], [EXIT.notGood, '']);
  assert.match(bad.err, /error unknown-key: .*\n {2}where: .*bad\.yaml:1:1 .*\n {2}try: .*gateway/);
  assert.match(bad.err, ASCII_LINES);
  const none = await runNormctl(['config', 'check', join(folder, 'none')]);
  assert.deepEqual([none.status, none.out], [EXIT.unreadable, '']);
});

test('config check --json: one envelope, problems with their places', async () => {
  const good = await runNormctl(['config', 'check', GOOD, '--json']);
  assert.deepEqual(envelope(good.out), {
    normctl: 1,
    verb: 'config check',
    ok: true,
    data: { file: GOOD, gateway: 'gw-0001', sources: 1, backends: 0, rules: 0 },
  });
  const bad = await runNormctl(['config', 'check', BAD, '--json']);
  const { ok, problems = [] } = envelope(bad.out);
  assert.deepEqual([bad.status, bad.err, ok], [EXIT.notGood, '', false]);
  assert.match(bad.out, ASCII_LINES);
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['unknown-key', 'missing-key', 'out-of-range'],
  );
  const [first] = problems;
  assert.deepEqual(Object.keys(first ?? {}).sort(), [
    ...['allowed', 'code', 'column', 'file', 'hint', 'line', 'message', 'path'],
  ]);
});

test('config schema prints the schema for editors, and version the release', async () => {
  const schema = await runNormctl(['config', 'schema']);
  assert.deepEqual(JSON.parse(schema.out), JSON.parse(JSON.stringify(editorSchema())));
  const version = await runNormctl(['version', '--json']);
  const { data } = envelope(version.out);
  assert.equal((data as { node: string }).node, process.versions.node);
});

const HEADER = encodeHeader({
  head: { kind: 'header', version: 1, idCode: 7, second: 0, fraction: 0, timeQuality: 0 },
  text: 'Süd \u{1b}[31m\u{9b}7\u{202e}',
});

test('decode takes a file, hex digits or standard input, and says the same of each', async () => {
  const path = file('header.bin', HEADER);
  const hex = toHex(HEADER);
  const runs = [
    await runNormctl(['decode', '--json', path]),
    await runNormctl(['decode', '--json', hex]),
    await runNormctl(['decode', '--json', '-'], { input: HEADER }),
    await runNormctl(['decode', '--json', '-'], { input: `${hex}\n` }),
  ];
  for (const { status, out, err } of runs) {
    assert.deepEqual([status, err, out], [EXIT.ok, '', runs[0]?.out]);
  }
  const line = JSON.parse(runs[0]?.out ?? '') as Record<string, unknown>;
  assert.deepEqual(
    [line['protocol'], line['offset'], line['ok'], line['text']],
    ['c37118', 0, true, 'Süd \u{1b}[31m\u{9b}7\u{202e}'],
    'escapes keep every character',
  );
});

test('what a device wrote reaches a plain terminal as printable ASCII', async () => {
  const people = await runNormctl(['decode', toHex(HEADER)]);
  assert.match(people.out, ASCII_LINES);
  assert.match(people.out, /S\\u\{fc\}d \\u\{1b\}\[31m/);
  const json = await runNormctl(['decode', '--json', toHex(HEADER)]);
  assert.match(json.out, ASCII_LINES);
});

test('decode: damaged bytes are status 1, unknown ones or none 4', async () => {
  const damaged = HEADER.slice();
  damaged[20] = (damaged[20] ?? 0) ^ 1;
  const bad = await runNormctl(['decode', '--json', '-'], { input: damaged });
  assert.equal(bad.status, EXIT.notGood);
  const { ok, error } = JSON.parse(bad.out.split('\n')[0] ?? '') as {
    ok: boolean;
    error: { code: string; offset: number };
  };
  assert.deepEqual([ok, error.code], [false, 'bad-crc']);
  for (const [argument, code] of [
    ['00', 'not-recognised'],
    [join(folder, 'none'), 'missing-file'],
    [folder, 'unreadable-file'],
    ['-', 'empty-input'],
    ['012', 'bad-hex'],
    [file('empty.json', '{}'), 'bad-vector'],
    [file('head.pcap', Buffer.from('d4c3b2a1', 'hex')), 'truncated'],
  ] as const) {
    const people = await runNormctl(['decode', argument]);
    assert.deepEqual([people.status, people.out], [EXIT.unreadable, ''], argument);
    assert.ok(people.err.startsWith(`error ${code}: `), people.err);
    const json = await runNormctl(['decode', argument, '--json']);
    assert.deepEqual(
      [json.status, json.err, envelope(json.out).problems?.[0]?.code],
      [EXIT.unreadable, '', code],
    );
  }
});

/** A P1 telegram in general-glo-ciphering, whose text nobody can read without its key. */
const CIPHERED = `db084b464d67500000011430${'00000001'.padEnd(38, '0')}`;

test('keys come from options, the environment or files, and are never shown', async () => {
  const key = 'f'.repeat(32);
  const keyFile = file('meter.key', key, 0o600);
  for (const [words, env, code] of [
    [[], {}, 'key-missing'],
    [['--key', key], {}, 'wrong-key'],
    [['--key', `@${keyFile}`], {}, 'wrong-key'],
    [[], { NORMD_KEY: key }, 'wrong-key'],
    [[], { NORMD_KEY: `@${keyFile}` }, 'wrong-key'],
  ] as const) {
    const run = await runNormctl(['decode', '--json', CIPHERED, ...words], { env });
    const line = JSON.parse(run.out) as { error: { code: string; hint?: string } };
    assert.deepEqual([run.status, line.error.code], [EXIT.notGood, code]);
    assert.ok(line.error.hint !== undefined);
    assert.ok(!run.out.includes(key));
  }
  const odd = await runNormctl(['decode', CIPHERED, '--key', `${key}zz`]);
  assert.deepEqual([odd.status, odd.err.includes(key)], [EXIT.usage, false]);
  const open = file('open.key', key);
  const refused = await runNormctl(['decode', CIPHERED, '--key', `@${open}`]);
  assert.deepEqual([refused.status, refused.err.includes('file-too-open')], [EXIT.usage, true]);
});

test('a reader that has seen enough ends normctl quietly', async () => {
  const frames = Buffer.concat(Array.from({ length: 20_000 }, () => simpleCommand(7, 'turn-on')));
  const child = startNormctl(['decode', '-']);
  const ended = endOf(child);
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.on('error', (error: NodeJS.ErrnoException) => assert.equal(error.code, 'EPIPE'));
  child.stdin.end(frames);
  await once(child.stdout, 'data');
  child.stdout.destroy();
  assert.deepEqual(await ended, { status: EXIT.ok, signal: null });
  assert.equal(err, '');
});

const withoutTerminal =
  spawnSync('script', ['--version']).status === 0
    ? false
    : 'no script(1) to make a pseudo-terminal (Debian package bsdutils)';

/** What normctl writes to a terminal that claims to be `environment`. */
function onTerminal(words: string, environment: Readonly<Record<string, string>>): string {
  const normctl = join(import.meta.dirname, '../../firmware-ts/cli/normctl.ts');
  const command = `${process.execPath} ${normctl} ${words}`;
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
    env: { PATH: process.env['PATH'], SHELL: '/bin/sh', ...environment },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return stdout.replaceAll('\r\n', '\n');
}

test(
  'only a terminal that is clearly a rich one gets colour, and nothing but colour',
  {
    skip: withoutTerminal,
  },
  () => {
    const words = `config check ${GOOD}`;
    const plain = [
      { TERM: 'vt100', LANG: 'en_US.UTF-8' },
      { TERM: 'dumb', LANG: 'en_US.UTF-8' },
      { TERM: 'xterm-256color', LANG: 'C' },
      { TERM: 'xterm-256color', LANG: 'en_US.UTF-8', NO_COLOR: '1' },
    ];
    for (const environment of plain) {
      assert.match(onTerminal(words, environment), ASCII_LINES, JSON.stringify(environment));
    }
    const rich = onTerminal(words, { TERM: 'xterm-256color', LANG: 'en_US.UTF-8' });
    const [escape] = rich;
    assert.equal(escape, '\u{1b}');
    const uncoloured = rich
      .split('\u{1b}')
      .map((part) => part.replace(/^\[\d+m/, ''))
      .join('');
    assert.match(uncoloured, ASCII_LINES);
  },
);

test('a table is as wide as allowed wherever its columns can be cut', () => {
  const columns = [
    { title: 'name', least: 6 },
    { title: 'n', align: 'right' },
  ] as const;
  const cell = fc.string({ maxLength: 60, unit: 'grapheme-ascii' });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, fc.nat(99_999))),
      fc.integer({ min: 14, max: 100 }),
      (rows, width) => {
        const lines = tableLines(
          columns,
          rows.map(([name, n]) => [name, String(n)]),
          width,
        );
        assert.equal(lines.length, rows.length + 1);
        for (const [index, line] of lines.entries()) {
          assert.ok(line.length <= width);
          const number = rows[index - 1]?.[1];
          if (number !== undefined) assert.ok(line.endsWith(String(number)));
        }
      },
    ),
  );
});
