import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { askStatus } from '#control/client.ts';

const MAIN = join(import.meta.dirname, '../../firmware-ts/main.ts');
const MORTAL_THREAD = join(import.meta.dirname, '../support/mortal-thread.ts');
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'normd-daemon-'));
});
after(() => rm(folder, { recursive: true }));

interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** Runs normd to its end; `ready` is called once when it says that it has started. */
function run(
  file: string,
  ready?: (stop: () => void) => void,
  options: readonly string[] = [],
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...options, MAIN, '--config', file]);
    let output = '';
    let told = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (told || ready === undefined || !output.includes('gateway.started')) return;
        told = true;
        ready(() => child.kill('SIGTERM'));
      });
    }
    child.once('close', (status) => resolve({ status, output }));
  });
}

async function configured(name: string, more: string): Promise<string> {
  const file = join(folder, `${name}.yaml`);
  const source = '{ name: p1, protocol: p1, link: { kind: udp, port: 45921 } }';
  const text = [
    'gateway: gw-1',
    `state: ${name}-state`,
    `control: { socket: ${name}.sock }`,
    `sources: [${source}]`,
    more,
  ];
  await writeFile(file, text.join('\n'));
  return file;
}

test('help and version are answers, a wrong argument is not', () => {
  const asked = (word: string) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, word]);
    return { status, out: String(stdout), err: String(stderr) };
  };
  for (const word of ['--help', '-h', '--version']) {
    const { status, out, err } = asked(word);
    assert.deepEqual([status, err], [0, ''], word);
    assert.match(out, word === '--version' ? /^normd \d/ : /usage: normd/);
  }
  const { status, out, err } = asked('--confg');
  assert.deepEqual([status, out], [64, '']);
  assert.match(err, /usage: normd/);
});

test('a URL that leads nowhere is an error of the configuration with its place', async () => {
  const file = await configured('nowhere', "backends: [{ name: b, url: 'mqtts://h:99999' }]");
  const { status, output } = await run(file);
  assert.equal(status, 78);
  assert.match(output, /line=5 .*code=bad-url/);
});

test('a configuration error starts nothing, and says where it is', async () => {
  const file = await configured('broken', 'polcy: []');
  const { status, output } = await run(file);
  assert.equal(status, 78);
  assert.match(output, /line=5 .*code=unknown-key/);
  assert.ok(!existsSync(join(folder, 'broken-state')), 'no state was touched');
  assert.ok(!existsSync(join(folder, 'broken.sock')));
});

test('a configuration that is not there is told as such', async () => {
  const { status, output } = await run(join(folder, 'none.yaml'));
  assert.equal(status, 78);
  assert.match(output, /code=unreadable-file/);
});

test('a second normd on the same state leaves the first alone', async () => {
  const file = await configured('twice', 'policy: []');
  const first = await run(file, (stop) => {
    void (async () => {
      const second = await run(file);
      assert.equal(second.status, 69);
      assert.match(second.output, /code=(store-locked|already-running)/);
      assert.equal((await askStatus(join(folder, 'twice.sock'))).gateway, 'gw-1');
    })().then(stop, (error: unknown) => {
      stop();
      throw error;
    });
  });
  assert.equal(first.status, 0, first.output);
});

test('the file that the configuration names tells that the clock is trusted', async () => {
  const trusts: unknown[] = [];
  for (const name of ['there.yaml', 'not-there']) {
    const file = await configured('there', `clock: { synchronisedFile: ${name} }`);
    const { status, output } = await run(file, (stop) => {
      const asked = askStatus(join(folder, 'there.sock'));
      void asked.then(({ clock }) => trusts.push(clock.trust)).finally(stop);
    });
    assert.equal(status, 0, output);
  }
  assert.deepEqual(trusts, ['trusted', 'unknown']);
});

test('without its store normd ends, says so, and asks to be started again', async () => {
  const file = await configured('bereft', 'policy: []');
  const { status, output } = await run(
    file,
    () => void askStatus(join(folder, 'bereft.sock')).catch(() => undefined),
    ['--import', MORTAL_THREAD], // asking for the counts is the end of the thread
  );
  assert.equal(status, 69);
  assert.match(output, /gateway\.failed.* code=store-died/);
  assert.equal(output.match(/gateway\.failed/g)?.length, 1, output);
});
