import { openAskedMeter } from '#acquisition/asked-meter.ts';
import type { Device } from '#acquisition/device.ts';
import { LineTurns } from '#acquisition/line-turns.ts';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import { openMeterSession } from '#acquisition/meter-session.ts';
import type { MeterSession } from '#acquisition/meter-session.ts';
import type { Configuration, SourceConfiguration } from '#config/schema.ts';
import { readKeyring } from '#identity/keyring.ts';
import type { Keyring } from '#identity/keyring.ts';
import { openLink as openMachineLink } from '#link/open.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import type { Authenticator } from '#protocol/dlms/protection.ts';
import type { Clock } from '#system/clock.ts';
import { noticeLog, zoneOf } from './devices.ts';
import type { MeterReader } from './meter-reader.ts';
import { profileReader, registerReader } from './meter-reader.ts';
import type { ReadingPath } from './path.ts';
import type { GatewayPorts } from './ports.ts';
import { Throttle } from './throttle.ts';

type AskedSource = Extract<SourceConfiguration, { readonly protocol: 'dlms' }>;

/** Opens every meter that is asked; those of one line take turns. Errors: those of the keyring. */
export function openAskedMeters(
  { sources, keyring: file }: Pick<Configuration, 'sources' | 'keyring'>,
  path: Pick<ReadingPath, 'keep' | 'newest'>,
  ports: GatewayPorts,
): readonly Device[] {
  const asked = sources.filter((source) => source.protocol === 'dlms');
  const keyring = file === undefined || asked.length === 0 ? undefined : readKeyring(file);
  const turns = new LineTurns();
  const { clock, entropy, log } = ports;
  return asked.map((source) => {
    const authenticator = authenticatorOf(source, keyring);
    return openAskedMeter({
      name: source.name,
      line: lineOf(source),
      turns,
      slots: {
        everyMs: source.every.minutes * 60_000,
        offsetMs: source.every.offsetSeconds * 1000,
      },
      open: () => sessionOf(source, authenticator, ports),
      read: readerOf(source, path, clock),
      keep: (observation) => path.keep(observation),
      clock,
      entropy,
      notice: noticeLog(source.name, log, new Throttle(clock)),
    });
  });
}

function readerOf(
  source: AskedSource,
  path: Pick<ReadingPath, 'newest'>,
  clock: Clock,
): MeterReader {
  const { name, read } = source;
  const zone = zoneOf(source);
  const local = zone === undefined ? {} : { localOffsetMin: zone.offsetMin };
  const options = { source: name, clock, local };
  if (read.kind === 'registers') return registerReader(read.objects, options);
  return profileReader(read.object, { ...options, newest: () => path.newest(name) });
}

/** One bus, or one port of one host, whatever is behind it. */
function lineOf({ name, link }: AskedSource): string {
  if (link.kind === 'serial') return link.path;
  return link.kind === 'tcp' ? `${link.host}:${link.port}` : name;
}

function sessionOf(
  source: AskedSource,
  authenticator: Authenticator,
  { clock, entropy, openLink = openMachineLink }: GatewayPorts,
): MeterSession {
  const { link, client, logical, physical, signOn } = source;
  const serial = link.kind === 'serial';
  const connect = (): DlmsClient => {
    const meterLink = meterLinkOf({
      framing: source.framing ?? (serial ? 'hdlc' : 'wrapper'),
      client,
      logical,
      ...(physical === undefined ? {} : { physical }),
      mayEcho: serial,
      ...(signOn ? { signOn: {} } : {}),
    });
    return new DlmsClient({ link: meterLink, referencing: 'LN', authenticator });
  };
  return openMeterSession({ link: openLink(link, { clock, entropy }), connect, clock });
}

function authenticatorOf(
  { name, mechanism }: AskedSource,
  keyring: Keyring | undefined,
): Authenticator {
  if (mechanism === 'lowest') return { mechanismName: MECHANISM.lowest };
  const secret = keyring?.named(name)?.secret() ?? new Uint8Array(0); // config check wants one
  return { mechanismName: MECHANISM.low, callingAuthenticationValue: secret };
}
