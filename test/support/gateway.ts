import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { askStatus } from '#control/client.ts';
import type { GatewayStatus } from '#control/status.ts';
import { createDevelopmentCa } from '#identity/development-ca.ts';
import { nativeRuntime } from './bundle.ts';
import type { Runtime } from './bundle.ts';
import { startMosquitto } from './mosquitto.ts';
import type { Mosquitto } from './mosquitto.ts';
import { startSubscriber } from './subscriber.ts';
import type { Subscriber } from './subscriber.ts';

/** The daemon's program. */
export const MAIN = join(import.meta.dirname, '../../firmware-ts/main.ts');
const POLL_MS = 20;

/** normd as a process of its own, reached only as its users reach it. */
export interface GatewayProcess {
  /** Settles with the exit status when the process is gone, however it went. */
  readonly ended: Promise<number | null>;
  /** Asks until the status satisfies `enough`; rejects when the process has died meanwhile. */
  until(enough: (status: GatewayStatus) => boolean): Promise<GatewayStatus>;
  /** Sends a signal that does not end it. */
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal and waits for the end; resolves with the exit status. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

export interface World {
  readonly folder: string;
  /** The daemon's control socket. */
  readonly socket: string;
  readonly mosquitto: Mosquitto;
  readonly subscriber: Subscriber;
  /** Starts normd with these sources, all of which may leave, and what else is configured. */
  start(
    sources: readonly Source[],
    program?: Program,
    more?: Readonly<Record<string, unknown>>,
  ): Promise<GatewayProcess>;
  dispose(): Promise<void>;
}

export interface Source {
  readonly name: string;
  readonly protocol: string;
  readonly [key: string]: unknown;
}

export interface Program {
  readonly runtime: Runtime;
  readonly file: string;
}

/** A way from the gateway to the broker's port; answers the port at which it begins. */
export type Way = (brokerPort: number) => Promise<number>;

/** A broker, a head-end and the certificates of all three, in a folder of their own. */
export async function openWorld(way: Way = (port) => Promise.resolve(port)): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'normd-world-'));
  const authority = await createDevelopmentCa(join(folder, 'pki'), Date.now());
  const device = await authority.device('gw-1');
  const headEnd = await authority.device('head-end');
  const mosquitto = await startMosquitto({ ca: authority.anchor, ...(await authority.broker()) });
  const { url } = mosquitto;
  const near = `mqtts://127.0.0.1:${await way(mosquitto.port)}`;
  const subscriber = await startSubscriber({ url, ca: authority.anchor, ...headEnd });
  const processes = new Set<GatewayProcess>();
  const socket = join(folder, 'control.sock');
  return {
    folder,
    socket,
    mosquitto,
    subscriber,
    async start(sources, program = { runtime: nativeRuntime, file: MAIN }, more = {}) {
      const file = join(folder, 'normd.yaml');
      const configuration = {
        ...more,
        gateway: 'gw-1',
        state: join(folder, 'state'),
        control: { socket },
        sources,
        backends: [{ name: 'head', url: near, identity: { ...device, trust: authority.anchor } }],
        policy: [
          { to: 'head', purpose: 'test', sources: sources.map(({ name }) => name), objects: ['*'] },
        ],
      };
      await writeFile(file, JSON.stringify(configuration)); // JSON is YAML
      const gateway = launch(program, file, socket);
      processes.add(gateway);
      return gateway;
    },
    async dispose() {
      for (const gateway of processes) await gateway.end('SIGKILL');
      await subscriber.stop();
      await mosquitto.dispose();
      await rm(folder, { recursive: true });
    },
  };
}

/** normd by its configuration, which names this control socket; whoever launches it ends it. */
export function launch(
  { runtime, file }: Program,
  configuration: string,
  socket: string,
): GatewayProcess {
  const child = spawn(runtime.command, [...runtime.leading, file, '--config', configuration], {
    env: { ...process.env, ...runtime.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-8192)));
  }
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const over = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    ended,
    async until(enough) {
      for (;;) {
        if (over()) throw new Error(`normd ended with ${String(child.exitCode)}:\n${words}`);
        const status = await askStatus(socket).catch(() => undefined); // not listening yet
        if (status !== undefined && enough(status)) return status;
        await pause(POLL_MS);
      }
    },
    signal: (signal) => void child.kill(signal),
    async end(signal) {
      if (!over()) child.kill(signal);
      return ended;
    },
  };
}
