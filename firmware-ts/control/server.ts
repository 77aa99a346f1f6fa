import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { askControl } from './client.ts';

/** What a path answers, as a value for JSON; it holds no secret. */
export type Answers = Readonly<Record<string, () => Promise<unknown>>>;

export interface ControlOptions {
  /** Path of the Unix socket; its folder is made with mode 0750 if it is not there. */
  readonly socket: string;
  readonly answers: Answers;
}

export interface ControlServer {
  stop(): Promise<void>;
}

/** A request is a line and a few headers; nothing here has a body. */
const HEADER_BYTES_MAX = 4096;
const CONNECTIONS_MAX = 32;
const REQUEST_TIMEOUT_MS = 5000;

/**
 * Serves the local API on a Unix socket (mode 0660: its group are the technicians).
 * Errors: `already-running` when another normd answers there, `socket-unusable`.
 */
export async function startControl({ socket, answers }: ControlOptions): Promise<ControlServer> {
  await mkdir(dirname(socket), { recursive: true, mode: 0o750 });
  await removeStale(socket);
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
    void answer(request, response, answers);
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  await listen(server, socket);
  await chmod(socket, 0o660);
  return {
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A socket that nobody serves is left from a sudden death; a living one is not touched. */
async function removeStale(socket: string): Promise<void> {
  try {
    await askControl(socket, '/v1/status');
  } catch (error) {
    const { code } = failureOf(error);
    if (code === 'daemon-not-running') return removeSocket(socket);
    if (code === 'permission-denied') throw error;
  }
  throw new OperatingError('already-running', `another normd serves ${socket}`, {
    hint: 'Stop it first, or give this one a control socket of its own.',
  });
}

/** Whatever else is there by mistake of the configuration is not ours to remove. */
async function removeSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket() === true) await rm(path, { force: true });
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const hint = 'Check the folder of control.socket: it must exist and be writable.';
      reject(new OperatingError('socket-unusable', cause.message, { hint, cause }));
    });
    server.listen(socket, resolve);
  });
}

async function answer(
  { method, url }: IncomingMessage,
  response: ServerResponse,
  answers: Answers,
): Promise<void> {
  const give = Object.hasOwn(answers, url ?? '') ? answers[url ?? ''] : undefined;
  if (give === undefined) {
    reply(response, 404, { error: { code: 'unknown-path', message: 'no such path' } });
    return;
  }
  if (method !== 'GET') {
    reply(response, 405, { error: { code: 'unknown-method', message: 'only GET is known' } });
    return;
  }
  try {
    reply(response, 200, await give());
  } catch (error) {
    reply(response, 500, { error: failureOf(error) });
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
