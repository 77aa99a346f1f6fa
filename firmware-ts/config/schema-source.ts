import Type from 'typebox';
import type { Static } from 'typebox';
import { SILENT_MS as DLMS_SILENT_MS } from '#protocol/dlms/push.ts';
import { SILENT_MS as P1_SILENT_MS } from '#protocol/p1/connection.ts';
import { annotated, closed, name, path } from './schema-parts.ts';

/** Devices, and the links to them. */
const PEERS_MAX = 256;
/** What fits into a few requests; for more there are profiles. */
const REGISTERS_MAX = 64;

const port = Type.Integer({ minimum: 1, maximum: 65535, description: 'a port, 1 to 65535' });
const host = Type.String({
  pattern: '^[A-Za-z0-9.:_-]{1,253}$',
  description: 'a host name or an IP address',
});
/** Nothing listens towards the network unless told to. */
const listenAddress = Type.String({
  pattern: '^[0-9A-Fa-f.:]{2,45}$',
  default: '127.0.0.1',
  description: 'the IP address to listen on; 0.0.0.0 or :: for every interface',
});
const peersMax = Type.Integer({
  minimum: 1,
  maximum: PEERS_MAX,
  default: 4,
  description: `peers served at the same time, 1 to ${PEERS_MAX}`,
});

const SerialLink = Type.Object(
  {
    kind: Type.Literal('serial'),
    path: path('any'),
    baud: Type.Integer({ minimum: 50, maximum: 4_000_000, description: 'bits per second' }),
    format: Type.Enum(['8N1', '8E1', '8O1', '7N1', '7E1', '7O1'], {
      default: '8N1',
      description: 'data bits, parity, stop bits',
    }),
  },
  closed,
);
const TcpLink = Type.Object({ kind: Type.Literal('tcp'), host, port }, closed);
const TcpListenLink = Type.Object(
  { kind: Type.Literal('tcp-listen'), address: listenAddress, port, peersMax },
  closed,
);
const UdpLink = Type.Object(
  { kind: Type.Literal('udp'), address: listenAddress, port, peersMax },
  closed,
);
const ReplayLink = Type.Object(
  {
    kind: Type.Literal('replay'),
    file: path('readable'),
    pace: Type.Enum(['original', 'fast'], {
      default: 'original',
      description: 'with the recorded pauses, or as fast as possible',
    }),
    port: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65535,
        description: "of a pcap only what was sent from this port, the device's own",
      }),
    ),
  },
  closed,
);
const Link = Type.Union([SerialLink, TcpLink, TcpListenLink, UdpLink, ReplayLink]);

const Keys = Type.Object(
  {
    encryption: Type.Optional(path('key')),
    authentication: Type.Optional(path('key')),
  },
  {
    ...closed,
    default: {},
    description: 'key files of this meter; without any, the keyring has its keys by its name',
  },
);
const authentication = Type.Enum(['require', 'if-key', 'never'], {
  default: 'if-key',
  description: 'refuse what is not authenticated, check where there is a key, or never check',
});
/** For a meter that shows local time and says no more of it than summer or winter, or nothing. */
const timeZone = Type.Optional(
  Type.String({
    pattern: '^[A-Za-z0-9_+:/-]{1,64}$',
    description: "the time zone of the meter's clock, such as Europe/Amsterdam",
    ...annotated({ rule: 'time-zone' }),
  }),
);
/** For devices that talk by themselves. */
const silentSeconds = (defaultMs: number) =>
  Type.Integer({
    minimum: 1,
    maximum: SILENT_SECONDS_MAX,
    default: defaultMs / 1000,
    description: 'seconds without a message after which the link is opened anew',
  });
const SILENT_SECONDS_MAX = 31 * 86_400; // some meters push once a month

const sourceName = name({ defines: 'source' });
const sourceOptions = { ...closed, ...annotated({ rule: 'source' }) };

const DlmsPushSource = Type.Object(
  {
    name: sourceName,
    protocol: Type.Literal('dlms-push'),
    link: Link,
    framing: Type.Enum(['auto', 'hdlc', 'mbus', 'wrapper', 'raw'], {
      default: 'auto',
      description: 'what is around the APDU',
    }),
    keys: Keys,
    authentication,
    timeZone,
    silentSeconds: silentSeconds(DLMS_SILENT_MS),
  },
  sourceOptions,
);
/** OBIS code of an object. */
const obis = Type.String({
  pattern: '^\\d{1,3}-\\d{1,3}:\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}(\\*\\d{1,3})?$',
  description: "an OBIS code in quotes, such as '1-0:1.8.0'",
});
const ProfileReading = Type.Object({ kind: Type.Literal('profile'), object: obis }, closed);
const RegisterReading = Type.Object(
  {
    kind: Type.Literal('registers'),
    objects: Type.Array(obis, {
      minItems: 1,
      maxItems: REGISTERS_MAX,
      description: `registers (class 3) of the meter, 1 to ${REGISTERS_MAX}`,
    }),
  },
  closed,
);
const Every = Type.Object(
  {
    minutes: Type.Integer({
      minimum: 1,
      maximum: 44_640,
      default: 15,
      description: 'minutes between two readings, counted from midnight UTC of 1970-01-01',
    }),
    offsetSeconds: Type.Integer({
      minimum: 0,
      maximum: 86_400,
      default: 0,
      description: 'how much later, so that a row is in the profile, or that lines take turns',
    }),
  },
  { ...closed, default: {}, description: 'when it is asked: at once, then at times on the clock' },
);
const address = (options: { default?: number }, description: string) =>
  Type.Integer({ minimum: 0, maximum: 0x3fff, description, ...options });

/** A meter that is asked. */
const DlmsSource = Type.Object(
  {
    name: sourceName,
    protocol: Type.Literal('dlms'),
    link: Link,
    framing: Type.Optional(
      Type.Enum(['hdlc', 'wrapper'], {
        description: 'what is around the APDU; hdlc is usual on a serial line, wrapper on TCP',
      }),
    ),
    client: address({ default: 16 }, 'who asks: 16 is the public client'),
    logical: address({ default: 1 }, 'the logical device that is asked: 1 is the management one'),
    physical: Type.Optional(address({}, 'the physical device, on a shared HDLC line')),
    signOn: Type.Boolean({
      default: false,
      description: 'an optical head: begin at 300 baud in mode E of IEC 62056-21',
    }),
    mechanism: Type.Enum(['lowest', 'low'], {
      default: 'lowest',
      description: 'none, or the password that the keyring has under the name of this source',
    }),
    read: Type.Union([ProfileReading, RegisterReading]),
    every: Every,
    timeZone,
  },
  sourceOptions,
);
const P1Source = Type.Object(
  {
    name: sourceName,
    protocol: Type.Literal('p1'),
    link: Link,
    keys: Keys,
    authentication,
    timeZone,
    silentSeconds: silentSeconds(P1_SILENT_MS),
  },
  sourceOptions,
);
const C37118Source = Type.Object(
  {
    name: sourceName,
    protocol: Type.Literal('c37118'),
    link: Link,
    // 1 to 65534 by C37.118.2-2011, 6.2; 0 is met in the field.
    idCode: Type.Integer({ minimum: 0, maximum: 65534, description: 'IDCODE of the stream' }),
  },
  sourceOptions,
);
export const SOURCE_EXAMPLE = {
  name: 'meter1',
  protocol: 'p1',
  link: { kind: 'serial', path: '/dev/ttyUSB0', baud: 115_200 },
};
export const Source = Type.Union([DlmsPushSource, DlmsSource, P1Source, C37118Source], {
  examples: [SOURCE_EXAMPLE],
});

export type SourceConfiguration = Static<typeof Source>;
export type LinkConfiguration = Static<typeof Link>;
