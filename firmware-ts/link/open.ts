import type { Link } from './link.ts';
import type { LinkPorts } from './mending.ts';
import { type ReplayOptions, replay } from './replay.ts';
import { type SerialOptions, serial } from './serial.ts';
import { type TcpClientOptions, tcpClient } from './tcp-client.ts';
import { type TcpListenerOptions, tcpListener } from './tcp-listener.ts';
import { type UdpOptions, udp } from './udp.ts';

export type LinkOptions =
  SerialOptions | TcpClientOptions | TcpListenerOptions | UdpOptions | ReplayOptions;

/** The link that the options describe; it does nothing before `open`. */
export function openLink(options: LinkOptions, ports: LinkPorts): Link {
  switch (options.kind) {
    case 'serial':
      return serial(options, ports);
    case 'tcp':
      return tcpClient(options, ports);
    case 'tcp-listen':
      return tcpListener(options, ports);
    case 'udp':
      return udp(options, ports);
    case 'replay':
      return replay(options, ports);
  }
}
