import { meterLinkOf } from '#acquisition/meter-link.ts';
import type { MeterSession } from '#acquisition/meter-session.ts';
import { openMeterSession } from '#acquisition/meter-session.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { openLink } from '#link/open.ts';
import type { LinkOptions } from '#link/open.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import type { Authenticator } from '#protocol/dlms/protection.ts';
import { readBounded } from '#system/bounded-file.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import type { Invocation, Verb } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { reportFailure } from '../report.ts';
import { tracedInto } from './trace.ts';

/** Runs `work` on the meter that the options name, and takes leave of it whatever comes. */
export async function withMeter<Result>(
  { options }: Invocation,
  work: (meter: MeterSession) => Promise<Result>,
): Promise<Result> {
  const linkOptions = linkOptionsOf(options);
  const apduLink = apduLinkOf(options, linkOptions.kind);
  const authenticator = authenticatorOf(options);
  const clock = machineClock;
  const { link, finish } = tracedInto(
    options['trace'],
    openLink(linkOptions, { clock, entropy: machineEntropy }),
    authenticator.callingAuthenticationValue ?? NO_SECRET,
  );
  const meter = openMeterSession({
    link,
    connect: () => new DlmsClient({ link: apduLink, referencing: 'LN', authenticator }),
    clock,
  });
  try {
    return await work(meter);
  } finally {
    await meter.close();
    finish();
  }
}

const NO_SECRET = new Uint8Array(0);

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

function linkOptionsOf({ tcp, serial, baud }: Options): LinkOptions {
  if (typeof tcp === 'string' && serial === undefined) {
    const [, host, port] = /^(.+):(\d{1,5})$/.exec(tcp) ?? [];
    if (host === undefined || port === undefined) throw usage(`--tcp ${tcp} is not HOST:PORT`);
    return { kind: 'tcp', host, port: numberIn('--tcp', port, 1, 65535) };
  }
  if (typeof serial !== 'string' || tcp !== undefined) {
    throw usage('say where the meter is: either --tcp HOST:PORT or --serial PATH');
  }
  const rate = numberIn('--baud', baud, 300, 4_000_000);
  return { kind: 'serial', path: serial, baud: rate, format: '8N1' };
}

function apduLinkOf(options: Options, kind: LinkOptions['kind']): ApduLink {
  const { framing, physical, signOn } = options;
  const serial = kind === 'serial';
  if (signOn === true && !serial) throw usage('--sign-on is for --serial');
  if (signOn === true && framing === 'wrapper') throw usage('--sign-on is for --framing hdlc');
  return meterLinkOf({
    framing: framing === 'wrapper' || (framing === undefined && !serial) ? 'wrapper' : 'hdlc',
    client: numberIn('--client', options['client'], 1, 0x3fff),
    logical: numberIn('--logical', options['logical'], 0, 0x3fff),
    ...(physical === undefined ? {} : { physical: numberIn('--physical', physical, 0, 0x3fff) }),
    mayEcho: serial,
    ...(signOn === true ? { signOn: {} } : {}),
  });
}

const PASSWORD_BYTES_MAX = 256;

function authenticatorOf({ passwordFile }: Options): Authenticator {
  if (typeof passwordFile !== 'string') return { mechanismName: MECHANISM.lowest };
  const bytes = readBounded(passwordFile, { users: 'owner', bytesMax: PASSWORD_BYTES_MAX });
  const callingAuthenticationValue = Uint8Array.from(bytes.subarray(0, lengthOfLine(bytes)));
  return { mechanismName: MECHANISM.low, callingAuthenticationValue };
}

/** An editor ends the last line; that is no part of the password. */
function lengthOfLine(bytes: Uint8Array): number {
  const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  return end < 0 ? bytes.length : end;
}

export function numberIn(
  option: string,
  word: string | boolean | undefined,
  least: number,
  most: number,
): number {
  const value = typeof word === 'string' && /^\d+$/.test(word) ? Number(word) : NaN;
  if (value >= least && value <= most) return value;
  throw usage(`${option} takes a number from ${least} to ${most}`);
}

export function usage(message: string): OperatingError {
  return new OperatingError('usage', message, { hint: 'normctl help meter' });
}
