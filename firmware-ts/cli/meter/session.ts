import { meterAccess } from '#acquisition/meter-access.ts';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import type { MeterSession } from '#acquisition/meter-session.ts';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { AssociationSettings } from '#identity/association-keys.ts';
import type { HeldLedger } from '#identity/counter-lock.ts';
import { ReservedCounters } from '#identity/reserved-counter.ts';
import type { Link } from '#link/link.ts';
import { openLink } from '#link/open.ts';
import type { LinkOptions } from '#link/open.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { machineCiphers } from '#system/ciphers.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import type { Invocation, Verb } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { printTrouble, reportFailure, troubleOf } from '../report.ts';
import type { Terminal } from '../terminal.ts';
import { numberIn, usage } from './usage.ts';
import type { MeterSecurity } from './security.ts';
import { heldCounters, securityOf } from './security.ts';
import { traced } from './trace.ts';

/** Runs `work` on the meter that the options name, and takes leave of it whatever comes. */
export async function withMeter<Result>(
  { options }: Invocation,
  terminal: Terminal,
  work: (meter: MeterSession, names: AssociationSettings['referencing']) => Promise<Result>,
): Promise<Result> {
  const security = securityOf(options);
  const held = await heldCounters(security, options);
  try {
    const trace = {
      path: typeof options['trace'] === 'string' ? options['trace'] : undefined,
      secrets: secretsOf(security),
      cut: (failure: Failure) => printTrouble(terminal, troubleOf(failure)),
    };
    return await traced(trace, async (through) => {
      const meter = accessOf(options, security, held, through)();
      try {
        return await work(meter, security.settings.referencing);
      } finally {
        await meter.close();
      }
    });
  } finally {
    await held?.release();
  }
}

/** What goes over the line as it is. */
function secretsOf({ settings, keys }: MeterSecurity): readonly Uint8Array[] {
  const secret = settings.mechanism === 'low' ? keys?.secret() : undefined;
  return secret === undefined ? [] : [secret];
}

function accessOf(
  options: Options,
  security: MeterSecurity,
  held: HeldLedger | undefined,
  through: (link: Link) => Link,
): () => MeterSession {
  const linkOptions = linkOptionsOf(options);
  const clock = machineClock;
  return meterAccess({
    ...security,
    client: numberIn('--client', options['client'], 1, 0x3fff),
    ...(held === undefined ? {} : { counters: new ReservedCounters(held.ledger) }),
    openLink: () => through(openLink(linkOptions, { clock, entropy: machineEntropy })),
    apduLink: apduLinkOf(options, linkOptions.kind),
    clock,
    ciphers: machineCiphers,
  });
}

/** A verb whose failures are the meter's, unless they say otherwise: status 1. */
export function meterVerb(verb: Verb): Verb {
  return async (invocation, terminal) => {
    try {
      return await verb(invocation, terminal);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      return reportFailure(terminal, invocation, failureOf(error), EXIT.notGood);
    }
  };
}

type Options = Invocation['options'];

export function linkOptionsOf({ tcp, udp, serial, baud }: Options): LinkOptions {
  const named = [tcp, udp, serial].filter((place) => typeof place === 'string');
  if (named.length !== 1) {
    throw usage('say where the meter is: either --tcp or --udp HOST:PORT, or --serial PATH');
  }
  if (typeof tcp === 'string') return { kind: 'tcp', ...endpointIn('--tcp', tcp) };
  if (typeof udp === 'string') return { kind: 'udp-client', ...endpointIn('--udp', udp) };
  const rate = numberIn('--baud', baud, 300, 4_000_000);
  return { kind: 'serial', path: String(serial), baud: rate, format: '8N1' };
}

function endpointIn(
  option: string,
  word: string,
): { readonly host: string; readonly port: number } {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(word) ?? [];
  if (host === undefined || port === undefined) throw usage(`${option} ${word} is not HOST:PORT`);
  return { host, port: numberIn(option, port, 1, 65535) };
}

function apduLinkOf(options: Options, kind: LinkOptions['kind']): (client: number) => ApduLink {
  const { framing, physical, signOn } = options;
  const serial = kind === 'serial';
  if (signOn === true && !serial) throw usage('--sign-on is for --serial');
  if (signOn === true && framing === 'wrapper') throw usage('--sign-on is for --framing hdlc');
  const reached = {
    framing: framing === 'wrapper' || (framing === undefined && !serial) ? 'wrapper' : 'hdlc',
    logical: numberIn('--logical', options['logical'], 0, 0x3fff),
    ...(physical === undefined ? {} : { physical: numberIn('--physical', physical, 0, 0x3fff) }),
    mayEcho: serial,
    ...(signOn === true ? { signOn: {} } : {}),
  } as const;
  return (client) => meterLinkOf({ ...reached, client });
}

/** Whose names of objects are wanted, if anyone's. */
export function countryOf({ options }: Invocation): string | undefined {
  const { country } = options;
  return typeof country === 'string' ? country : undefined;
}
