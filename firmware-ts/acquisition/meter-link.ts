import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { withoutEcho } from '#protocol/echo.ts';
import type { HdlcAddress } from '#protocol/hdlc/address.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import type { SignedOnOptions } from '#protocol/iec62056-21/signed-on.ts';
import { signedOn } from '#protocol/iec62056-21/signed-on.ts';
import { WrapperLink } from '#protocol/wrapper/link.ts';

/** What lies between a line and the association with one logical device of one meter. */
export interface MeterLinkOptions {
  readonly framing: 'hdlc' | 'wrapper';
  /** Who asks: 16 is the public client. */
  readonly client: number;
  /** Logical device; 1 is the management one. */
  readonly logical: number;
  /** Physical device on a shared HDLC line. */
  readonly physical?: number;
  /** An optical head or a two-wire line, either of which may echo; HDLC only. */
  readonly mayEcho?: boolean;
  /** The line begins in mode E of IEC 62056-21; HDLC only. */
  readonly signOn?: SignedOnOptions;
}

/** A data link that can be started anew for each stream that comes up. */
export function meterLinkOf(options: MeterLinkOptions): ApduLink {
  const { client, logical, physical } = options;
  if (options.framing === 'wrapper') return new WrapperLink({ client, server: logical });
  const server = serverAddressOf(logical, physical);
  const hdlc = new HdlcClientLink({ client: { upper: client, length: 1 }, server });
  const signing = options.signOn === undefined ? hdlc : signedOn(hdlc, options.signOn);
  return options.mayEcho === true ? withoutEcho(signing) : signing;
}

/** The shortest form that holds it (IEC 62056-46, 6.4.2.2). */
function serverAddressOf(upper: number, physical: number | undefined): HdlcAddress {
  if (physical === undefined && upper < 0x80) return { upper, length: 1 };
  const lower = physical ?? 0;
  return { upper, lower, length: upper < 0x80 && lower < 0x80 ? 2 : 4 };
}
