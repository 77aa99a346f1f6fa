import { fromHex } from '#bytes/hex.ts';
import { bytesFromLatin1 } from '#bytes/text.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { EchoRemover } from '#protocol/echo.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import { decodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import { SignOn } from '#protocol/iec62056-21/sign-on.ts';
import { WrapperLink, wrapperServerLink } from '#protocol/wrapper/link.ts';
import type { Protection } from '#protocol/dlms/protection.ts';
import { protectionLike } from './recorded-client.ts';
import type { Side } from './recorded-entropy.ts';
import { recordedCounters } from './recorded-entropy.ts';
import type { Session } from './sessions.ts';
import { carriedIn, framingOf } from './sessions.ts';

/** Bytes that somebody sent, and who reads them here. */
export interface Sample {
  readonly bytes: Uint8Array;
  readonly read: (bytes: Uint8Array) => unknown;
}

const LATER_MS = 10_000;

/** What the other side sent goes to a link that stands, which then has to wait for more in vain. */
export function linkSamples(session: Session): readonly Sample[] {
  const [first] = session.frames;
  if (first === undefined) return [];
  const hdlc = framingOf(session) === 'hdlc';
  return session.frames.map(({ dir, hex }) => {
    const open = hdlc ? HDLC[dir] : WRAPPER[dir];
    return { bytes: fromHex(hex), read: (bytes) => heard(open(session), bytes) };
  });
}

function heard(link: ApduLink, bytes: Uint8Array): void {
  link.receive(bytes, 1);
  link.expire(LATER_MS);
  link.stop(LATER_MS);
}

type Opening = (session: Session) => ApduLink;

const HDLC: Readonly<Record<'tx' | 'rx', Opening>> = {
  tx: ({ frames: [first] }) => {
    const snrm = fromHex(first?.hex ?? '');
    const { destination: server } = decodeHdlcFrame(snrm.subarray(1, -1));
    const link = new HdlcServerLink({ server });
    link.start(0);
    link.receive(snrm, 0);
    return link;
  },
  rx: ({ frames: [first, second] }) => {
    const { source: client, destination: server } = decodeHdlcFrame(
      fromHex(first?.hex ?? '').subarray(1, -1),
    );
    const link = new HdlcClientLink({ client, server });
    link.start(0);
    link.receive(fromHex(second?.hex ?? ''), 0);
    link.send(Uint8Array.of(0xc0, 1), 0);
    return link;
  },
};

const WRAPPER: typeof HDLC = {
  tx: () => wrapperServerLink({ client: 1, server: 1 }),
  rx: () => new WrapperLink({ client: 1, server: 1 }),
};

/** What either side sent ciphered goes to the other's keys. */
export function cipheredSamples(session: Session): readonly Sample[] {
  const protectionOf = (side: Side): Protection | undefined =>
    protectionLike(session, side, undefined, recordedCounters(session, side));
  const by = { tx: protectionOf('server'), rx: protectionOf('client') };
  return session.frames
    .filter(({ plaintext }) => plaintext !== undefined)
    .map((frame) => ({
      bytes: carriedIn(frame),
      read: (apdu) => by[frame.dir]?.unprotect(apdu),
    }));
}

const IDENTIFICATIONS = ['/ISk5\\2MT382-1000\r\n', '/LGZ4ZMD3104407.B32\r\n', '/?!\r\n'];

/** What a meter says when it is signed on to, and what an optical head gives back. */
export function textSamples(): readonly Sample[] {
  return IDENTIFICATIONS.map((text) => bytesFromLatin1(text)).flatMap((bytes) => [
    {
      bytes,
      read: (heardBytes: Uint8Array) => {
        const signOn = new SignOn({ target: 'readout' });
        signOn.start(0);
        signOn.receive(heardBytes, 1);
        return signOn.expire(LATER_MS);
      },
    },
    {
      bytes,
      read: (heardBytes: Uint8Array) => {
        const echo = new EchoRemover();
        echo.sent([bytes]);
        return echo.received(heardBytes, 1);
      },
    },
  ]);
}
