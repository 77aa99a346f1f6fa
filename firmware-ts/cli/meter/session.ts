import type { MeterSession } from '#acquisition/meter-session.ts';
import { openMeterSession } from '#acquisition/meter-session.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { openLink } from '#link/open.ts';
import type { LinkOptions } from '#link/open.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import type { Authenticator } from '#protocol/dlms/protection.ts';
import type { HdlcAddress } from '#protocol/hdlc/address.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import { WrapperLink } from '#protocol/wrapper/link.ts';
import { readBounded } from '#system/bounded-file.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import type { Invocation, Verb } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { reportFailure } from '../report.ts';

/** Runs `work` on the meter that the options name, and takes leave of it whatever comes. */
export async function withMeter<Result>(
  { options }: Invocation,
  work: (meter: MeterSession) => Promise<Result>,
): Promise<Result> {
  const linkOptions = linkOptionsOf(options);
  const apduLink = apduLinkOf(options, linkOptions.kind);
  const authenticator = authenticatorOf(options);
  const clock = machineClock;
  const meter = openMeterSession({
    link: openLink(linkOptions, { clock, entropy: machineEntropy }),
    connect: () => new DlmsClient({ link: apduLink, referencing: 'LN', authenticator }),
    clock,
  });
  try {
    return await work(meter);
  } finally {
    await meter.close();
  }
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
  const client = numberIn('--client', options['client'], 1, 0x3fff);
  const logical = numberIn('--logical', options['logical'], 0, 0x3fff);
  const framing = options['framing'] ?? (kind === 'serial' ? 'hdlc' : 'wrapper');
  if (framing === 'wrapper') return new WrapperLink({ client, server: logical });
  const server = serverAddress(logical, options['physical']);
  return new HdlcClientLink({ client: { upper: client, length: 1 }, server });
}

/** The shortest form that holds it (IEC 62056-46, 6.4.2.2). */
function serverAddress(upper: number, physical: string | boolean | undefined): HdlcAddress {
  if (physical === undefined && upper < 0x80) return { upper, length: 1 };
  const lower = physical === undefined ? 0 : numberIn('--physical', physical, 0, 0x3fff);
  return { upper, lower, length: upper < 0x80 && lower < 0x80 ? 2 : 4 };
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
