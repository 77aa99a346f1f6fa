import type { Socket } from 'node:net';

/**
 * The little of HTTP/1.1 (RFC 9112) that a local API needs: one request, whose path says it all
 * and whose body is passed over, one answer, the end of the connection. Node's own server would
 * bring HTTP/2, fetch and their compressors into a process that needs none of them.
 */
export interface Request {
  readonly method: string;
  readonly path: string;
}

export interface Response {
  readonly status: number;
  /** JSON. */
  readonly text: string;
}

/** A request is a line and a few headers. */
const HEAD_LENGTH_MAX = 4096;
const HEAD_END = '\r\n\r\n';
const REQUEST_LINE = /^([A-Z]+) (\S+) HTTP\/1\.[01]\r\n/;

const TOO_LONG = refusal(431, 'request-too-long', `more than ${HEAD_LENGTH_MAX} characters`);
const NO_REQUEST = refusal(400, 'bad-request', 'no request of HTTP/1.1');

/** Codes that are about what was asked for, and not about normd: the asker is told them as such. */
export const NOT_THERE: readonly string[] = ['unknown-reference', 'unknown-entry'];

export function refusal(status: number, code: string, message: string): Response {
  return { status, text: JSON.stringify({ error: { code, message } }) };
}

/**
 * Answers the one request of a connection that may be half open, and ends it. A peer that has not
 * asked after `limitMs`, or has taken nothing for as long since, is sent away. `answer` rejects
 * nothing.
 */
export async function serveOnce(
  socket: Socket,
  answer: (request: Request) => Promise<Response>,
  limitMs: number,
): Promise<void> {
  const breakOff = (): void => void socket.destroy();
  socket.on('error', breakOff);
  const late = setTimeout(breakOff, limitMs);
  const head = await headFrom(socket);
  clearTimeout(late);
  socket.setTimeout(limitMs, breakOff);
  socket.end(messageOf(await responseTo(head, answer)));
}

/** All that came when the head was whole or too long, or when nothing more will come. */
function headFrom(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const done = (): void => resolve(text);
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      if (isComplete(text)) return;
      text += chunk;
      if (isComplete(text)) done();
    });
    socket.once('end', done).once('close', done);
  });
}

function isComplete(text: string): boolean {
  return text.length > HEAD_LENGTH_MAX || text.includes(HEAD_END);
}

async function responseTo(
  head: string,
  answer: (request: Request) => Promise<Response>,
): Promise<Response> {
  const length = head.indexOf(HEAD_END);
  if (length > HEAD_LENGTH_MAX || (length < 0 && head.length > HEAD_LENGTH_MAX)) return TOO_LONG;
  const [, method, path] = (length < 0 ? null : REQUEST_LINE.exec(head)) ?? [];
  return method === undefined || path === undefined ? NO_REQUEST : answer({ method, path });
}

function messageOf({ status, text }: Response): string {
  const body = `${text}\n`;
  const headers = [
    `HTTP/1.1 ${status} `, // the reason in words may be empty (RFC 9112, 4)
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  return `${headers.join('\r\n')}${HEAD_END}${body}`;
}
