import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The device's end of a line, and how normd reaches the other end. */
export interface Wire {
  /** As the configuration writes it. */
  readonly link: Readonly<Record<string, string | number>>;
  write(bytes: Uint8Array): void;
  close(): Promise<void>;
}

const APPEAR_TRIES = 100;
const APPEAR_PAUSE_MS = 20;

/**
 * A serial line: a pseudo-terminal made by socat, so that the real serial driver runs.
 * `undefined` where socat is not installed.
 */
export async function openSerialWire(folder: string): Promise<Wire | undefined> {
  const path = join(folder, 'meter.tty');
  const socat = spawn('socat', ['STDIO', `PTY,link=${path},rawer`], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => {
    socat.once('exit', () => resolve());
    socat.once('error', () => resolve()); // not installed
  });
  socat.stdin.on('error', () => socat.kill()); // the line is gone: what is written has no reader
  for (let tries = 0; !existsSync(path); tries += 1) {
    if (socat.pid === undefined || tries > APPEAR_TRIES) {
      socat.kill();
      return undefined;
    }
    await pause(APPEAR_PAUSE_MS);
  }
  return {
    link: { kind: 'serial', path, baud: 115_200, format: '8N1' },
    write: (bytes) => void socat.stdin.write(bytes),
    async close() {
      socat.kill();
      await ended;
    },
  };
}

/** A device that serves whoever connects, on a free port of 127.0.0.1. */
export async function openTcpWire(): Promise<Wire> {
  const peers = new Set<Socket>();
  const server = createServer((socket) => {
    peers.add(socket);
    socket.on('close', () => peers.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    link: { kind: 'tcp', host: '127.0.0.1', port },
    write(bytes) {
      for (const peer of peers) peer.write(bytes);
    },
    async close() {
      for (const peer of peers) peer.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
