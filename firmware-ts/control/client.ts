import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { OperatingError } from '#bytes/failure.ts';
import type { GatewayStatus } from './status.ts';

const ANSWER_TIMEOUT_MS = 5000;
/** A status of 256 sources with all their readings is some megabytes. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** Errors of `askControl`. */
export async function askStatus(socket: string): Promise<GatewayStatus> {
  return (await askControl(socket, '/v1/status')) as GatewayStatus;
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
  const { status, body } = await exchange(socket, path, timeoutMs);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new OperatingError('bad-answer', `what serves ${socket} is not normd`, { cause });
  }
  if (status === 200) return value;
  throw new OperatingError(
    'control-refused',
    `normd answered ${status} to ${path}: ${body.trim()}`,
  );
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function exchange(socketPath: string, path: string, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const asked = request({ socketPath, path, agent: false, signal }, (response) => {
      const broken = (error: Error): void =>
        reject(failureToRead(socketPath, error, signal.aborted));
      collect(response).then(resolve, broken);
    });
    asked.once('error', (error) => reject(failureToReach(socketPath, error, signal.aborted)));
    asked.end();
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
