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
  /** From a connection's begin to the end of its request; 5 s unless given. */
  readonly requestTimeoutMs?: number;
}

export interface ControlServer {
  stop(): Promise<void>;
}

/** A request is a line and a few headers; nothing here has a body. */
const HEADER_BYTES_MAX = 4096;
const CONNECTIONS_MAX = 32;
const REQUEST_TIMEOUT_MS = 5000;

/** How often Node looks for requests that are late, in parts of what they may take. */
const CHECKS_PER_TIMEOUT = 5;
/** What a socket may do is taken from others before it exists, from its group never. */
const SOCKET_UMASK = 0o007;
const SOCKET_MODE = 0o660;

/**
 * Serves the local API on a Unix socket (mode 0660: its group are the technicians).
 * Errors: `already-running` when another normd answers there, `socket-unusable`.
 */
export async function startControl(options: ControlOptions): Promise<ControlServer> {
  const { socket } = options;
  await mkdir(dirname(socket), { recursive: true, mode: 0o750 });
  await removeStale(socket);
  const server = serverOf(options);
  await listen(server, socket);
  await chmod(socket, SOCKET_MODE);
  return {
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function serverOf({ answers, requestTimeoutMs = REQUEST_TIMEOUT_MS }: ControlOptions): Server {
  const limits = {
    maxHeaderSize: HEADER_BYTES_MAX,
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    // Every 30 s unless said, which would be the time-out.
    connectionsCheckingInterval: requestTimeoutMs / CHECKS_PER_TIMEOUT,
  };
  const server = createServer(limits, (request, response) => {
    answer(request, response, answers).catch(() => response.destroy());
  });
  server.maxConnections = CONNECTIONS_MAX;
  return server;
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
    // Binds before it returns; what a thread of ours makes meanwhile is closed to others, no more.
    const before = process.umask(SOCKET_UMASK);
    server.listen(socket, resolve);
    process.umask(before);
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

/** Throws what JSON cannot say before anything is sent. */
function reply(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${text}\n`);
}
