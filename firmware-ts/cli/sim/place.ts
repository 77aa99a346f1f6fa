import type { Link } from '#link/link.ts';
import type { LinkPorts } from '#link/mending.ts';
import { openLink } from '#link/open.ts';
import { ptyLink } from '#sim/cosem/pty.ts';
import type { MeterFraming } from '#sim/cosem/simulated-meter.ts';
import { throttled } from '#sim/cosem/throttled.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import type { Invocation } from '../command.ts';
import { numberIn, usage } from '../meter/usage.ts';

/** Where a simulated meter is to be found. */
export interface Place {
  readonly link: Link;
  readonly framing: MeterFraming;
  /** How `normctl meter` is told of it; on a network once the port is known. */
  readonly reachedBy: (port: number) => string;
}

const PORT_DEFAULT = 4059;
const PORTS: LinkPorts = { clock: machineClock, entropy: machineEntropy };

/** Errors: `usage`. */
export function placeFrom(options: Invocation['options']): Place {
  const { tcp, udp, serial, pty } = options;
  const named = [tcp, udp, serial, pty].filter((word) => word !== undefined);
  if (named.length > 1) throw usage('a meter is at one place: --tcp, --udp, --serial or --pty');
  if (typeof serial === 'string' || typeof pty === 'string') return onLine(options);
  const address = String(options['listen']);
  const kind = udp === undefined ? 'tcp-listen' : 'udp';
  const port = numberIn('--tcp, --udp', udp ?? tcp ?? String(PORT_DEFAULT), 0, 65535);
  const framing = framingIn(options, 'wrapper');
  const more = framing === 'hdlc' ? ' --framing hdlc' : '';
  return {
    link: openLink({ kind, address, port }, PORTS),
    framing,
    reachedBy: (found) => `--${udp === undefined ? 'tcp' : 'udp'} ${address}:${found}${more}`,
  };
}

function onLine(options: Invocation['options']): Place {
  const { serial, pty } = options;
  const baud = numberIn('--baud', options['baud'], 300, 4_000_000);
  const framing = framingIn(options, 'hdlc');
  const more = framing === 'wrapper' ? ' --framing wrapper' : '';
  if (typeof serial === 'string') {
    const link = openLink({ kind: 'serial', path: serial, baud, format: '8N1' }, PORTS);
    return { link, framing, reachedBy: () => `--serial PORT --baud ${baud}${more}` };
  }
  const path = String(pty);
  return {
    link: throttled(ptyLink(path, PORTS), baud, machineClock),
    framing,
    reachedBy: () => `--serial ${path} --baud ${baud}${more}`,
  };
}

function framingIn({ framing }: Invocation['options'], usual: MeterFraming): MeterFraming {
  return framing === 'wrapper' || framing === 'hdlc' ? framing : usual;
}
