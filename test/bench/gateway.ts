import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { askStatus } from '#control/client.ts';
import type { GatewayStatus } from '#control/status.ts';
import { emptyFolder } from './filled.ts';
import { cpuSeconds } from './processes.ts';

const MAIN = join(import.meta.dirname, '../../firmware-ts/main.ts');
const POLL_MS = 50;

/** The daemon, of which everything leaves for one broker. */
export interface Gateway {
  /** The first status that satisfies `enough`. */
  until(enough: (status: GatewayStatus) => boolean): Promise<GatewayStatus>;
  cpuSeconds(): number;
  kill(): Promise<void>;
}

/** With so many P1 meters that all listen on one port. */
export function startGateway(meters: number, metersPort: number, url: string): Gateway {
  const folder = emptyFolder();
  mkdirSync(folder);
  const [socket, file] = [join(folder, 'control.sock'), join(folder, 'normd.yaml')];
  const link = { kind: 'tcp', host: '127.0.0.1', port: metersPort };
  const sources = Array.from({ length: meters }, (_, index) => {
    return { name: `meter${index}`, protocol: 'p1', link };
  });
  const configuration = {
    gateway: 'bench',
    state: join(folder, 'state'),
    control: { socket },
    sources,
    backends: [{ name: 'utility', url }],
    policy: [
      {
        to: 'utility',
        purpose: 'bench',
        sources: sources.map(({ name }) => name),
        objects: ['*'],
      },
    ],
  };
  writeFileSync(file, JSON.stringify(configuration)); // JSON is YAML
  const child = spawn(process.execPath, [MAIN, '--config', file], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    async until(enough) {
      for (;;) {
        if (child.exitCode !== null) throw new Error(`normd ended with ${child.exitCode}`);
        const status = await askStatus(socket).catch(() => undefined); // not listening yet
        if (status !== undefined && enough(status)) return status;
        await pause(POLL_MS);
      }
    },
    cpuSeconds: () => cpuSeconds(child),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
