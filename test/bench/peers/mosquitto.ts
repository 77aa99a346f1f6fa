import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort, withoutMosquitto } from '../../support/mosquitto.ts';
import { emptyFolder } from '../filled.ts';
import type { Peer } from './peer.ts';
import { startProgram } from './program.ts';

const PROGRAM = '/usr/sbin/mosquitto';

/** A mosquitto that bridges to the upstream; what it takes is confirmed by its PUBACK. */
export function mosquittoBridge(name: string, extra: readonly string[]): Peer {
  return {
    name,
    absent: withoutMosquitto,
    async open(upstreamPort) {
      const folder = emptyFolder();
      mkdirSync(folder);
      const [port, file] = [await freePort(), join(folder, 'mosquitto.conf')];
      const lines = [...configuration(folder, port, upstreamPort), ...extra, ''];
      writeFileSync(file, lines.join('\n'));
      return { start: () => startProgram(PROGRAM, ['-c', file], { over: 'mqtt', port }) };
    },
  };
}

/** Its queue is unbounded, so that only its persistence is compared. */
function configuration(folder: string, port: number, upstream: number): readonly string[] {
  return [
    `user ${userInfo().username}`,
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'set_tcp_nodelay true',
    'max_queued_messages 0',
    'persistence true',
    `persistence_location ${folder}/`,
    'connection upstream',
    `address 127.0.0.1:${upstream}`,
    'topic nd/1/# out 1',
    'cleansession false',
    'notifications false',
    'try_private false',
    'restart_timeout 1',
  ];
}
