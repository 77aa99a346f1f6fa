import type { Link } from './link.ts';
import type { LinkPorts } from './mending.ts';
import type { ReplayOptions } from './replay.ts';
import { replay } from './replay.ts';
import type { SerialOptions } from './serial.ts';
import { serial } from './serial.ts';
import type { TcpClientOptions } from './tcp-client.ts';
import { tcpClient } from './tcp-client.ts';
import type { TcpListenerOptions } from './tcp-listener.ts';
import { tcpListener } from './tcp-listener.ts';
import type { UdpOptions } from './udp.ts';
import { udp } from './udp.ts';
import type { UdpClientOptions } from './udp-client.ts';
import { udpClient } from './udp-client.ts';

export type LinkOptions =
  | SerialOptions
  | TcpClientOptions
  | TcpListenerOptions
  | UdpOptions
  | UdpClientOptions
  | ReplayOptions;

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
    case 'udp-client':
      return udpClient(options, ports);
    case 'replay':
      return replay(options, ports);
  }
}
