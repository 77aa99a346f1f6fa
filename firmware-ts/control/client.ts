import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { OperatingError } from '#bytes/failure.ts';
import type { Failure } from '#bytes/failure.ts';
import { NOT_THERE } from './http.ts';
import type { EntryAction, EntryDone, EntryStatus, OutboxStatus } from './outbox.ts';
import type { GatewayStatus } from './status.ts';

const ANSWER_TIMEOUT_MS = 5000;
/** A status of 256 sources with all their readings is some megabytes. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** Errors of `askControl`. */
export async function askStatus(socket: string): Promise<GatewayStatus> {
  return (await askControl(socket, '/v1/status')) as GatewayStatus;
}

/** Errors of `askControl`. */
export async function askOutbox(socket: string): Promise<OutboxStatus> {
  return (await askControl(socket, '/v1/outbox')) as OutboxStatus;
}

/** Names one entry of an outbox, for `askEntry` and `tellEntry`. */
export interface EntryName {
  readonly backend: string;
  readonly id: number;
}

/** Errors of `askControl`, `unknown-reference`, `unknown-entry`. */
export async function askEntry(socket: string, entry: EntryName): Promise<EntryStatus> {
  return (await askControl(socket, pathOf(entry))) as EntryStatus;
}

/** Errors of `askEntry`. */
export async function tellEntry(
  socket: string,
  entry: EntryName,
  action: EntryAction,
): Promise<EntryDone> {
  const request = { method: 'POST', path: `${pathOf(entry)}/${action}` } as const;
  return (await exchangeJson(socket, request, ANSWER_TIMEOUT_MS)) as EntryDone;
}

function pathOf({ backend, id }: EntryName): string {
  return `/v1/outbox/${backend}/${id}`;
}

/**
 * Asks the normd that serves `socket`.
 * Errors: `daemon-not-running`, `permission-denied`, `control-timeout`, `control-refused` (the
 * daemon answered with an error), `bad-answer`.
 */
export async function askControl(
  socket: string,
  path: string,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<unknown> {
  return exchangeJson(socket, { method: 'GET', path }, timeoutMs);
}

interface Asked {
  readonly method: 'GET' | 'POST';
  readonly path: string;
}

async function exchangeJson(socket: string, asked: Asked, timeoutMs: number): Promise<unknown> {
  const { status, body } = await exchange(socket, asked, timeoutMs);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new OperatingError('bad-answer', `what serves ${socket} is not normd`, { cause });
  }
  if (status === 200) return value;
  throw refusalOf(value) ?? controlRefused(asked, status, body);
}

/** Why what was asked for is not there, in normd's own words. */
function refusalOf(value: unknown): OperatingError | undefined {
  const { error } = (value ?? {}) as { error?: Partial<Failure> };
  if (typeof error?.code !== 'string' || !NOT_THERE.includes(error.code)) return undefined;
  const { code, message, hint } = error;
  return new OperatingError(code, String(message), hint === undefined ? {} : { hint });
}

function controlRefused({ path }: Asked, status: number, body: string): OperatingError {
  return new OperatingError(
    'control-refused',
    `normd answered ${status} to ${path}: ${body.trim()}`,
  );
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function exchange(socketPath: string, asked: Asked, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = request({ socketPath, ...asked, agent: false, signal }, (response) => {
      const broken = (error: Error): void =>
        reject(failureToRead(socketPath, error, signal.aborted));
      collect(response).then(resolve, broken);
    });
    sent.once('error', (error) => reject(failureToReach(socketPath, error, signal.aborted)));
    sent.end();
  });
}

async function collect(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) {
      response.destroy();
      throw new OperatingError('bad-answer', `more than ${ANSWER_BYTES_MAX} bytes`);
    }
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') };
}

/** The answer had begun: whoever serves the socket is there. */
function failureToRead(socket: string, error: Error, late: boolean): OperatingError {
  if (error instanceof OperatingError) return error;
  if (late) return timeoutOf(socket, error);
  const hint = 'Ask again: normd may have been stopped while it answered.';
  const message = `the answer on ${socket} broke off (${error.message})`;
  return new OperatingError('bad-answer', message, { hint, cause: error });
}

function timeoutOf(socket: string, cause: Error): OperatingError {
  const hint = 'normd is overloaded or stuck: look at its log (journalctl -u normd).';
  return new OperatingError('control-timeout', `no answer on ${socket}`, { hint, cause });
}

function failureToReach(socket: string, error: Error, late: boolean): OperatingError {
  if (late) return timeoutOf(socket, error);
  const cause = { cause: error };
  const reason = 'code' in error ? error.code : undefined;
  if (reason === 'EACCES' || reason === 'EPERM') {
    const hint = 'Use sudo, or join the group that owns the socket.';
    return new OperatingError('permission-denied', `may not use ${socket}`, { hint, ...cause });
  }
  const hint = 'Start normd, or name its socket with --socket PATH.';
  return new OperatingError('daemon-not-running', `nobody serves ${socket}`, { hint, ...cause });
}
