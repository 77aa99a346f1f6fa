import { emptyFolder } from '../filled.ts';
import { Sender } from '../senders.ts';
import type { Peer } from './peer.ts';

/** Six readings make a message of some 190 octets. */
const LOAD = { streams: 1, readings: [6, 6] } as const;

/** Our store and uplink; what it takes is confirmed by `append`. */
export const normd: Peer = {
  name: 'normd',
  absent: false,
  open(upstreamPort) {
    const folder = emptyFolder();
    return Promise.resolve({
      async start() {
        const sender = new Sender(folder, `mqtt://127.0.0.1:${upstreamPort}`);
        await sender.opened;
        return {
          feed: (feed) => sender.load({ ...LOAD, ...feed }),
          residentMiB: () => sender.residentMiB(),
          writtenBytes: () => sender.writtenBytes(),
          cpuSeconds: () => sender.cpuSeconds(),
          kill: () => sender.kill(),
        };
      },
    });
  },
};
