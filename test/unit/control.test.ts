import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { connect, createServer as createSocketServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { failureOf, OperatingError } from '#bytes/failure.ts';
import { askControl, askEntry } from '#control/client.ts';
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

test('a control socket is closed to others from its first moment on', async () => {
  const socket = join(folder, 'closed.sock');
  const modes: number[] = [];
  // Published when the socket is bound, and before its owner hears of it.
  const bound = (): unknown => modes.push(statSync(socket).mode & 0o007);
  const umask = process.umask(0);
  subscribe('tracing:net.server.listen:asyncEnd', bound);
  const control = await startControl({ socket, answers: hello });
  unsubscribe('tracing:net.server.listen:asyncEnd', bound);
  assert.equal(process.umask(umask), 0, 'the mask is given back');
  assert.deepEqual(modes, [0]);
  assert.equal((await stat(socket)).mode & 0o777, 0o660);
  await control.stop();
});

test('an answer that JSON cannot say is an error, and the next is given', async () => {
  const socket = join(folder, 'unsayable.sock');
  const answers = { ...hello, '/v1/unsayable': () => Promise.resolve({ octets: 1n }) };
  const control = await startControl({ socket, answers });
  await assert.rejects(askControl(socket, '/v1/unsayable'), code('control-refused'));
  assert.deepEqual(await askControl(socket, '/v1/status'), { hello: 1 });
  await control.stop();
});

test('who connects and asks nothing, or half a question, is sent away', async () => {
  const socket = join(folder, 'silent.sock');
  const control = await startControl({ socket, answers: hello, requestTimeoutMs: 100 });
  const overdue = setTimeout(() => assert.fail('it is still connected'), 15_000);
  await Promise.all(
    ['', 'GET /v1/status HTTP/1.1\r\nHost: x\r\n'].map(async (said) => {
      const client = connect(socket).resume();
      client.write(said);
      await once(client, 'close');
    }),
  );
  clearTimeout(overdue);
  await control.stop();
});

test('what is no request of HTTP is refused with a code, and never asked', async () => {
  const socket = join(folder, 'rude.sock');
  const control = await startControl({ socket, answers: hello });
  for (const [said, expected] of [
    ['hello\r\n\r\n', 'bad-request'],
    ['GET /v1/status\r\n\r\n', 'bad-request'],
    ['GET  HTTP/1.1\r\n\r\n', 'bad-request'],
    ['GET /v1/status HTTP/1.1\r\nHost: x', 'bad-request'], // and nothing more
    ['\0'.repeat(100_000), 'request-too-long'],
    [`GET /v1/status HTTP/1.1\r\nCookie: ${'x'.repeat(4096)}\r\n\r\n`, 'request-too-long'],
  ] as const) {
    const answer = await say(socket, [said]);
    assert.equal((JSON.parse(answer) as { error: { code: string } }).error.code, expected, said);
  }
  assert.deepEqual(await askControl(socket, '/v1/status'), { hello: 1 });
  await control.stop();
});

test('a request may come in pieces, with a body and from one who says no more', async () => {
  const socket = join(folder, 'pieces.sock');
  const control = await startControl({ socket, answers: hello });
  const request = 'GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n';
  assert.deepEqual(JSON.parse(await say(socket, request.split(''))), { hello: 1 });
  assert.deepEqual(JSON.parse(await say(socket, [request, request, 'x'])), { hello: 1 });
  await control.stop();
});

test('an answer that breaks off is no answer, one that stops is late', async () => {
  const socket = join(folder, 'broken.sock');
  const open = new Set<Socket>();
  let stops = false;
  const server = createSocketServer((peer) => {
    open.add(peer);
    peer.once('data', () => {
      peer.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{', () => {
        if (!stops) peer.destroy();
      });
    });
  }).listen(socket);
  await once(server, 'listening');
  await assert.rejects(askControl(socket, '/v1/status'), code('bad-answer'));
  stops = true;
  await assert.rejects(askControl(socket, '/v1/status', 200), code('control-timeout'));
  for (const peer of open) peer.destroy();
  server.close();
  await once(server, 'close');
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

test('a path may hold names, and what is done is told apart from what is asked', async () => {
  const socket = join(folder, 'names.sock');
  const done: string[] = [];
  const control = await startControl({
    socket,
    answers: { '/v1/boxes/*': (box = '') => Promise.resolve({ box }) },
    actions: {
      '/v1/boxes/*/empty': (box = '') => {
        done.push(box);
        return Promise.reject(new OperatingError('unknown-entry', 'it is empty'));
      },
    },
  });
  assert.deepEqual(await askControl(socket, '/v1/boxes/b-1'), { box: 'b-1' });
  for (const [path, method, status, expected] of [
    ['/v1/boxes/b-1/empty', 'POST', 404, 'unknown-entry'],
    ['/v1/boxes/b-1/empty', 'GET', 405, 'unknown-method'],
    ['/v1/boxes/b-1', 'POST', 405, 'unknown-method'],
    ['/v1/boxes/b-1', 'DELETE', 405, 'unknown-method'],
    ['/v1/boxes/*', 'GET', 404, 'unknown-path'],
    ['/v1/boxes/', 'GET', 404, 'unknown-path'],
    ['/v1/boxes', 'GET', 404, 'unknown-path'],
    ['/v1/boxes/..', 'GET', 404, 'unknown-path'],
    ['/v1/boxes/%62', 'GET', 404, 'unknown-path'],
    [`/v1/boxes/${'x'.repeat(65)}`, 'GET', 404, 'unknown-path'],
    ['/v1/boxes/b-1/empty/', 'POST', 404, 'unknown-path'],
  ] as const) {
    const answer = await ask(socket, path, method);
    assert.equal(answer.status, status, path);
    assert.equal((JSON.parse(answer.body) as { error: { code: string } }).error.code, expected);
  }
  assert.deepEqual(done, ['b-1'], 'nothing was done by asking');
  const entry = { backend: 'b-1', id: 1 };
  await assert.rejects(askEntry(socket, entry), code('control-refused'));
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

/** Says these pieces and ends; the body of what came back before the connection ended. */
async function say(socket: string, pieces: readonly string[]): Promise<string> {
  const client = connect({ path: socket, allowHalfOpen: true }).setEncoding('latin1');
  let answer = '';
  client.on('data', (text: string) => (answer += text));
  for (const piece of pieces) await new Promise((resolve) => client.write(piece, resolve));
  client.end();
  await once(client, 'close');
  return answer.slice(answer.indexOf('\r\n\r\n'));
}

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
