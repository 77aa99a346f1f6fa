import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { NAME } from '#reading/senml-names.ts';
import { NOT_THERE, refusal, serveOnce } from './http.ts';
import type { Request, Response } from './http.ts';

/**
 * What a path answers, as a value for JSON; it holds no secret. A `*` in a path stands for one
 * name (`NAME`), which the answer is given.
 */
export type Answers = Readonly<Record<string, (...names: readonly string[]) => Promise<unknown>>>;

export interface ControlOptions {
  /** Path of the Unix socket; its folder is made with mode 0750 if it is not there. */
  readonly socket: string;
  /** What is told when asked (GET). */
  readonly answers: Answers;
  /** What is done when told to (POST). */
  readonly actions?: Answers;
  /** From a connection's begin to the end of its request; 5 s unless given. */
  readonly requestTimeoutMs?: number;
}

export interface ControlServer {
  stop(): Promise<void>;
}

const CONNECTIONS_MAX = 32;
const REQUEST_TIMEOUT_MS = 5000;

/** What a socket may do is taken from others before it exists, from its group never. */
const SOCKET_UMASK = 0o007;
const SOCKET_MODE = 0o660;

/**
 * Serves the local API on a Unix socket (mode 0660: its group are the technicians).
 * Errors: `already-running` when another normd answers there, `socket-unusable`.
 */
export async function startControl(options: ControlOptions): Promise<ControlServer> {
  const { socket, answers, actions = {}, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options;
  mkdirSync(dirname(socket), { recursive: true, mode: 0o750 });
  await removeStale(socket);
  const peers = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (peer) => {
    peers.add(peer);
    peer.once('close', () => peers.delete(peer));
    void serveOnce(peer, (request) => answer(request, { answers, actions }), requestTimeoutMs);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, socket);
  chmodSync(socket, SOCKET_MODE);
  return {
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const peer of peers) peer.destroy();
      }),
  };
}

/** A socket that nobody serves is left from a sudden death; a living one is not touched. */
async function removeStale(socket: string): Promise<void> {
  if (await isServed(socket)) {
    throw new OperatingError('already-running', `another program serves ${socket}`, {
      hint: 'Stop it first, or give this one a control socket of its own.',
    });
  }
  // Whatever else is there by mistake of the configuration is not ours to remove.
  if (lstatSync(socket, { throwIfNoEntry: false })?.isSocket() === true) rmSync(socket);
}

/** What an attempt to connect says to a full queue and to a socket of datagrams: it is used. */
const SERVED: readonly unknown[] = ['EAGAIN', 'EPROTOTYPE'];

/** Errors: `permission-denied`. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (cause: NodeJS.ErrnoException) => {
      const denied = cause.code === 'EACCES' || cause.code === 'EPERM';
      if (denied) reject(new OperatingError('permission-denied', `may not use ${path}`, { cause }));
      else resolve(SERVED.includes(cause.code));
    });
  });
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

type Known = Required<Pick<ControlOptions, 'answers' | 'actions'>>;

async function answer({ method, path }: Request, { answers, actions }: Known): Promise<Response> {
  const told = routeOf(answers, path);
  const done = routeOf(actions, path);
  if (told === undefined && done === undefined) {
    return refusal(404, 'unknown-path', 'no such path');
  }
  const give = method === 'GET' ? told : method === 'POST' ? done : undefined;
  if (give === undefined) {
    const known = told === undefined ? 'POST' : 'GET';
    return refusal(405, 'unknown-method', `only ${known} is known here`);
  }
  try {
    return { status: 200, text: JSON.stringify(await give()) };
  } catch (error) {
    const failure = failureOf(error);
    const status = NOT_THERE.includes(failure.code) ? 404 : 500;
    return { status, text: JSON.stringify({ error: failure }) };
  }
}

function routeOf(answers: Answers, path: string): (() => Promise<unknown>) | undefined {
  const words = path.split('/');
  for (const [pattern, give] of Object.entries(answers)) {
    const names = namesIn(words, pattern.split('/'));
    if (names !== undefined) return () => give(...names);
  }
  return undefined;
}

const LEGAL = new RegExp(NAME);

/** What stands where the pattern has stars; `undefined` where the rest is not the same. */
function namesIn(
  words: readonly string[],
  pattern: readonly string[],
): readonly string[] | undefined {
  const fits = words.every((word, at) =>
    pattern[at] === '*' ? LEGAL.test(word) : word === pattern[at],
  );
  if (!fits || words.length !== pattern.length) return undefined;
  return words.filter((_, at) => pattern[at] === '*');
}
