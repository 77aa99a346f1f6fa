import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const PROGRAM = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (program) => spawnSync(program, ['-h']).error === undefined,
);

/** `false`, or the reason to hand to a test's `skip`. */
export const withoutMosquitto: string | false =
  PROGRAM === undefined ? 'no mosquitto: install the Debian package mosquitto' : false;

/** Paths of PEM files. */
export interface MosquittoOptions {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** Further lines of the configuration. */
  readonly extra?: readonly string[];
}

export interface Mosquitto {
  readonly port: number;
  readonly url: string;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** SIGTERM, or SIGKILL on request; settles when the process is gone. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Stops it and removes its folder. */
  dispose(): Promise<void>;
}

/** A real mosquitto on a free loopback port that lets in only clients with a certificate. */
export async function startMosquitto(options: MosquittoOptions): Promise<Mosquitto> {
  const folder = await mkdtemp(join(tmpdir(), 'normd-mosquitto-'));
  const port = await freePort();
  const configuration = join(folder, 'mosquitto.conf');
  await writeFile(configuration, configurationOf(options, port, folder).join('\n'));
  let child: ChildProcess | undefined;
  const mosquitto: Mosquitto = {
    port,
    url: `mqtts://127.0.0.1:${port}`,
    async start() {
      child = spawn(PROGRAM ?? 'mosquitto', ['-c', configuration], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      await listening(child, port);
    },
    async stop(signal = 'SIGTERM') {
      const running = child;
      child = undefined;
      if (running === undefined || running.exitCode !== null) return;
      const gone = once(running, 'exit');
      running.kill(signal);
      await gone;
    },
    async dispose() {
      await mosquitto.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await mosquitto.start();
  return mosquitto;
}

function configurationOf(
  options: MosquittoOptions,
  port: number,
  folder: string,
): readonly string[] {
  return [
    `user ${userInfo().username}`, // as root it would change to a user who cannot read the key
    'persistence true', // a subscriber's session outlives a restart
    `persistence_location ${folder}/`,
    'set_tcp_nodelay true', // otherwise each acknowledgement waits 40 ms for Nagle
    'max_queued_messages 0',
    `listener ${port} 127.0.0.1`,
    `cafile ${options.ca}`,
    `certfile ${options.certificate}`,
    `keyfile ${options.key}`,
    'tls_version tlsv1.2',
    'require_certificate true',
    'allow_anonymous true',
    ...(options.extra ?? []),
    '',
  ];
}

/** Nothing tells when it listens but an accepted connection. */
async function listening(child: ChildProcess, port: number): Promise<void> {
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => (words += chunk.toString()));
  for (;;) {
    if (child.exitCode !== null) throw new Error(`mosquitto exited: ${words}`);
    if (await accepts(port)) return;
    await pause(10);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
