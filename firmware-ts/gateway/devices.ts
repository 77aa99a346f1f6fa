import { openDevice } from '#acquisition/device.ts';
import type { Device, DeviceNotice } from '#acquisition/device.ts';
import { observing } from '#acquisition/observing.ts';
import type { Observations } from '#acquisition/observing.ts';
import { readKeyFile } from '#config/key-file.ts';
import type { Keyring } from '#identity/keyring.ts';
import { readKeyring } from '#identity/keyring.ts';
import type { Configuration, SourceConfiguration } from '#config/schema.ts';
import { openLink as openMachineLink } from '#link/open.ts';
import { C37118Client } from '#protocol/c37118/client.ts';
import type { Connection } from '#protocol/connection.ts';
import { DlmsPushConnection } from '#protocol/dlms/push.ts';
import { P1Connection } from '#protocol/p1/connection.ts';
import type { P1Telegram } from '#protocol/p1/telegram.ts';
import { observationsFromC37118 } from '#reading/from-c37118.ts';
import { observationFromCosem } from '#reading/from-cosem.ts';
import { observationFromP1 } from '#reading/from-p1.ts';
import type { P1Zone } from '#reading/from-p1.ts';
import type { TimeMark } from '#reading/reading.ts';
import { machineAesGcm } from '#system/cipher.ts';
import type { Log, LogLevel } from '#system/log.ts';
import { openTimeZone } from '#system/time-zone.ts';
import type { TimeZone } from '#system/time-zone.ts';
import type { GatewayPorts } from './ports.ts';
import type { ReadingPath } from './path.ts';
import { Throttle } from './throttle.ts';

/** Those that speak by themselves; who is asked is in asked-meters.ts. */
type SpeakingSource = Exclude<SourceConfiguration, { readonly protocol: 'dlms' }>;

/** Opens each that speaks by itself; key files are read before the first link is touched. */
export function openDevices(
  { sources, keyring: file }: Pick<Configuration, 'sources' | 'keyring'>,
  path: Pick<ReadingPath, 'take'>,
  ports: GatewayPorts,
): readonly Device[] {
  const { clock, entropy, log, openLink = openMachineLink } = ports;
  const wall = (): TimeMark => clock.wall();
  const keyring = file === undefined ? undefined : readKeyring(file);
  return sources
    .filter((source) => source.protocol !== 'dlms')
    .map((source) => ({ source, connect: connectorOf(source, wall, keyring) }))
    .map(({ source, connect }) =>
      openDevice({
        name: source.name,
        link: openLink(source.link, { clock, entropy }),
        connect,
        clock,
        take: (observation) => path.take(observation),
        notice: noticeLog(source.name, log, new Throttle(clock)),
      }),
    );
}

/** A protocol is one more case here and a folder below protocol/; nothing else knows of it. */
function connectorOf(
  source: SpeakingSource,
  wall: () => TimeMark,
  keyring: Keyring | undefined,
): () => Connection<Observations> {
  const { name } = source;
  switch (source.protocol) {
    case 'p1': {
      const { keys, authentication: policy } = securityOf(source, keyring);
      const zone = zoneOf(source);
      const silentMs = source.silentSeconds * 1000;
      const options = { ciphering: { keys, policy, cipher: machineAesGcm }, silentMs };
      return () =>
        observing(new P1Connection(options), (telegram) => {
          const arrival = wall();
          return [observationFromP1(name, telegram, arrival, p1Zone(zone, telegram, arrival))];
        });
    }
    case 'dlms-push': {
      const { framing, silentSeconds } = source;
      const silentMs = silentSeconds * 1000;
      const zone = zoneOf(source);
      const local = zone === undefined ? {} : { localOffsetMin: zone.offsetMin };
      const options = { ...securityOf(source, keyring), framing, silentMs, cipher: machineAesGcm };
      return () =>
        observing(new DlmsPushConnection(options), (message) => [
          observationFromCosem(name, message, wall(), local),
        ]);
    }
    case 'c37118': {
      const { idCode } = source;
      // A UDP socket has only peers that spoke first: such a PMU sends by itself.
      const passive = source.link.kind === 'udp';
      return () =>
        observing(new C37118Client({ idCode, passive }), (message) =>
          message.kind === 'data' ? observationsFromC37118(name, message.data, message.layout) : [],
        );
    }
  }
}

type Ciphered = Extract<SpeakingSource, { readonly authentication: string }>;

interface Security {
  readonly keys: { readonly encryption?: Uint8Array; readonly authentication?: Uint8Array };
  readonly authentication: Ciphered['authentication'];
}

function securityOf(source: Ciphered, keyring: Keyring | undefined): Security {
  const { name, keys, authentication } = source;
  const inRing = Object.keys(keys).length === 0 ? keyring?.named(name)?.cipherKeys() : undefined;
  return {
    keys: inRing ?? {
      ...(keys.encryption === undefined ? {} : { encryption: readKeyFile(keys.encryption) }),
      ...(keys.authentication === undefined
        ? {}
        : { authentication: readKeyFile(keys.authentication) }),
    },
    authentication,
  };
}

export function zoneOf({ timeZone }: Pick<Ciphered, 'timeZone'>): TimeZone | undefined {
  return timeZone === undefined ? undefined : openTimeZone(timeZone);
}

/** The year that counts is the telegram's: a capture may be old, and the gateway's clock wrong. */
function p1Zone(zone: TimeZone | undefined, telegram: P1Telegram, arrival: TimeMark): P1Zone {
  if (zone === undefined) return {};
  return { zoneOffsetMin: zone.winterOffsetMin(telegram.time?.localSecond ?? arrival.second) };
}

const LEVELS: Readonly<Record<DeviceNotice['kind'], LogLevel>> = {
  up: 'info',
  listening: 'info',
  refused: 'warning',
  down: 'warning',
  waiting: 'warning',
  discarded: 'warning',
  stalled: 'warning',
  'object-refused': 'warning',
  'clock-failed': 'warning',
  'clock-set': 'info',
  ended: 'info',
};

/** A device that sends rubbish for years must not fill the log with it. */
export function noticeLog(
  source: string,
  log: Log,
  throttle: Throttle,
): (notice: DeviceNotice) => void {
  return (notice) => {
    const failure = 'failure' in notice ? notice.failure : undefined;
    const object = 'object' in notice ? notice.object : undefined;
    const quiet = throttle.quietSince(`${notice.kind} ${object ?? ''} ${failure?.code ?? ''}`);
    if (quiet === undefined) return;
    log(LEVELS[notice.kind], `device.${notice.kind}`, {
      source,
      peer: 'peer' in notice ? notice.peer : undefined,
      object,
      code: failure?.code,
      message: failure?.message,
      hint: failure?.hint,
      byS: 'byS' in notice ? notice.byS : undefined,
      port: 'port' in notice ? notice.port : undefined,
      retryMs: 'retryMs' in notice ? Math.round(notice.retryMs) : undefined,
      repeated: quiet > 0 ? quiet : undefined,
    });
  };
}
