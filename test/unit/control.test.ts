import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { failureOf, OperatingError } from '#bytes/failure.ts';
import { askControl } from '#control/client.ts';
import { startControl } from '#control/server.ts';

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'normd-control-'));
});
after(() => rm(folder, { recursive: true }));

const hello = { '/v1/status': () => Promise.resolve({ hello: 1 }) };
const code = (expected: string) => (error: unknown) => failureOf(error).code === expected;

test('a question is answered over a socket that only owner and group may use', async () => {
  const socket = join(folder, 'new/folder/control.sock');
  const control = await startControl({ socket, answers: hello });
  assert.deepEqual(await askControl(socket, '/v1/status'), { hello: 1 });
  assert.equal((await stat(socket)).mode & 0o777, 0o660);
  assert.equal((await stat(join(folder, 'new/folder'))).mode & 0o777, 0o750);
  await control.stop();
  await assert.rejects(askControl(socket, '/v1/status'), code('daemon-not-running'));
});

test('a second daemon is refused, a dead one leaves no trouble behind', async () => {
  const socket = join(folder, 'second.sock');
  const first = await startControl({ socket, answers: hello });
  await assert.rejects(startControl({ socket, answers: hello }), code('already-running'));
  assert.deepEqual(await askControl(socket, '/v1/status'), { hello: 1 }, 'the first goes on');
  await first.stop();
  const dead = createSocketServer().listen(socket);
  await new Promise((resolve) => dead.once('listening', resolve));
  const path = join(folder, 'stale.sock');
  await rename(socket, path); // so that closing does not remove it
  await new Promise((resolve) => dead.close(resolve));
  const next = await startControl({ socket: path, answers: hello });
  assert.deepEqual(await askControl(path, '/v1/status'), { hello: 1 });
  await next.stop();
});

test('unknown paths, other methods and failing answers are refused with a code', async () => {
  const socket = join(folder, 'refuse.sock');
  const answers = {
    '/v1/fails': () => Promise.reject(new OperatingError('disk-error', 'the disk is broken')),
  };
  const control = await startControl({ socket, answers });
  for (const [path, method, status, expected] of [
    ['/v1/none', 'GET', 404, 'unknown-path'],
    ['/__proto__', 'GET', 404, 'unknown-path'],
    ['/v1/fails', 'POST', 405, 'unknown-method'],
    ['/v1/fails', 'GET', 500, 'disk-error'],
  ] as const) {
    const answer = await ask(socket, path, method);
    assert.equal(answer.status, status, path);
    assert.equal((JSON.parse(answer.body) as { error: { code: string } }).error.code, expected);
  }
  await assert.rejects(askControl(socket, '/v1/fails'), code('control-refused'));
  await control.stop();
});

test('what serves the socket may be another program, and a plain file is no socket', async () => {
  const socket = join(folder, 'other.sock');
  const other = createServer((_, response) => response.end('hello')).listen(socket);
  await new Promise((resolve) => other.once('listening', resolve));
  await assert.rejects(askControl(socket, '/v1/status'), code('bad-answer'));
  other.closeAllConnections();
  await new Promise((resolve) => other.close(resolve));
  const file = join(folder, 'file');
  await writeFile(file, 'precious');
  await assert.rejects(startControl({ socket: file, answers: hello }), code('socket-unusable'));
  assert.equal((await stat(file)).size, 8, 'a file that is no socket is left alone');
});

function ask(
  socketPath: string,
  path: string,
  method: string,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.once('error', reject);
    asked.end();
  });
}
