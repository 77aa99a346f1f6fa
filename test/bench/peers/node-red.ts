import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../support/mosquitto.ts';
import { emptyFolder } from '../filled.ts';
import { type Peer, TOPIC } from './peer.ts';
import { startProgram } from './program.ts';

const VERSION = '5.0.7';
/** Longer takes a registry that does not answer. */
const INSTALL_TIMEOUT_MS = 180_000;

const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
const home = join(cache, 'normd-bench', `node-red-${VERSION}`);

/**
 * Node-RED as npm installs it, with no settings that keep messages: it has none. Lines come in by
 * its `tcp in` node and leave by its `mqtt out` node at QoS 1. It confirms nothing: a line is
 * taken once it is written to the socket.
 */
export function nodeRed(): Peer {
  return {
    name: 'node-red',
    absent: installed(),
    async open(upstreamPort) {
      const folder = emptyFolder();
      mkdirSync(folder);
      const [port, uiPort] = [await freePort(), await freePort()];
      const [flows, settings] = [join(folder, 'flows.json'), join(folder, 'settings.cjs')];
      writeFileSync(flows, JSON.stringify(flow(port, upstreamPort)));
      const values = { uiPort, uiHost: '127.0.0.1', flowFile: flows, userDir: folder, ...QUIET };
      writeFileSync(settings, `module.exports = ${JSON.stringify(values)};\n`);
      const program = join(home, 'node_modules/node-red/red.js');
      const words = [program, '--settings', settings, '--userDir', folder];
      return { start: () => startProgram(process.execPath, words, { over: 'lines', port }) };
    },
  };
}

/** It dials anew after a second, as the bridge does, and asks nobody for news. */
const QUIET = {
  mqttReconnectTime: 1000,
  httpAdminRoot: false,
  httpNodeRoot: false,
  telemetry: { enabled: false, updateNotification: false },
  logging: { console: { level: 'fatal' } },
};

function flow(port: number, upstream: number): readonly object[] {
  return [
    { id: 'bench', type: 'tab', label: 'bench' },
    {
      ...{ id: 'in', type: 'tcp in', z: 'bench', server: 'server', port: String(port) },
      ...{ datamode: 'stream', datatype: 'utf8', newline: '\\n', trim: true, wires: [['out']] },
    },
    { id: 'out', type: 'mqtt out', z: 'bench', topic: TOPIC, qos: '1', broker: 'up', wires: [] },
    {
      ...{ id: 'up', type: 'mqtt-broker', broker: '127.0.0.1', port: String(upstream) },
      ...{ autoConnect: true, usetls: false, protocolVersion: '5', keepalive: '60' },
      ...{ cleansession: true },
    },
  ];
}

/** Brought from the registry once, into a cache outside this project; `false`, or why not. */
function installed(): string | false {
  if (existsSync(home)) return false;
  const partial = `${home}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const words = ['install', '--prefix', partial, '--no-audit', '--no-fund', '--ignore-scripts'];
  const retries = ['--fetch-retries', '0', '--silent', `node-red@${VERSION}`];
  const { status, error } = spawnSync('npm', [...words, ...retries], {
    cwd: partial,
    stdio: 'ignore',
    timeout: INSTALL_TIMEOUT_MS,
  });
  if (status !== 0) {
    rmSync(partial, { recursive: true, force: true });
    const why = error?.message ?? `npm install node-red@${VERSION} ended with ${String(status)}`;
    return `not installed: ${why}`;
  }
  renameSync(partial, home);
  return false;
}
