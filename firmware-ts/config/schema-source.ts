import Type from 'typebox';
import type { Static } from 'typebox';
import { SILENT_MS as DLMS_SILENT_MS } from '#protocol/dlms/push.ts';
import { SILENT_MS as P1_SILENT_MS } from '#protocol/p1/connection.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import type { MechanismName } from '#protocol/dlms/acse.ts';
import { PROTECTION_LEVELS, SERVICE_FORMS } from '#identity/association-keys.ts';
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
const UdpClientLink = Type.Object({ kind: Type.Literal('udp-client'), host, port }, closed);
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
const Link = Type.Union([SerialLink, TcpLink, TcpListenLink, UdpLink, UdpClientLink, ReplayLink]);

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
const OBIS = {
  pattern: '^\\d{1,3}-\\d{1,3}:\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}(\\*\\d{1,3})?$',
  description: "an OBIS code in quotes, such as '1-0:1.8.0'",
} as const;
const obis = Type.String(OBIS);
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

const MeterClock = Type.Object(
  {
    everyHours: Type.Integer({
      minimum: 1,
      maximum: 744,
      default: 24,
      description: 'hours between two looks at the clock, each behind a reading',
    }),
    offSeconds: Type.Integer({
      minimum: 1,
      maximum: 86_400,
      default: 30,
      description: 'wrong by more is told, and set right where that is allowed',
    }),
    setWithinSeconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 86_400,
        description: 'the largest step that normd may set; without it, it sets nothing',
      }),
    ),
  },
  { ...closed, description: "looks at the meter's clock, while our own is trusted" },
);
const MECHANISMS = Object.keys(MECHANISM) as [MechanismName, ...MechanismName[]];
const Ciphering = Type.Object(
  {
    services: Type.Enum(SERVICE_FORMS, {
      default: 'glo',
      description:
        'under the global key, a dedicated one that is new in each association, or in ' +
        'general-ciphering: the global key, a wrapped one, or one that both agree on',
    }),
    level: Type.Enum(PROTECTION_LEVELS, {
      default: 'authenticated-and-encrypted',
      description: 'what is done to what goes out; authentication says what must come in',
    }),
    signed: Type.Boolean({ default: false, description: 'each service is signed, in suites 1, 2' }),
  },
  { ...closed, description: 'a ciphered context, with the keys that the keyring has' },
);
const Counter = Type.Object(
  {
    client: address({ default: 16 }, 'who reads the counter when it is not known: 16, the public'),
    object: Type.String({ ...OBIS, default: '0-0:43.1.0' }),
    beginAt: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 0xffff_fffe,
        description: 'nobody reads it: a counter that is not known begins here, 0 for a new key',
      }),
    ),
  },
  {
    ...closed,
    default: {},
    description: 'where the invocation counter of the key is learned from',
  },
);

/** A meter that is asked. */
const DlmsSource = Type.Object(
  {
    name: sourceName,
    protocol: Type.Literal('dlms'),
    link: Link,
    framing: Type.Optional(
      Type.Enum(['hdlc', 'wrapper'], {
        description: 'what is around the APDU; hdlc is usual on a serial line, else wrapper',
      }),
    ),
    client: address({ default: 16 }, 'who asks: 16 is the public client'),
    logical: address({ default: 1 }, 'the logical device that is asked: 1 is the management one'),
    physical: Type.Optional(address({}, 'the physical device, on a shared HDLC line')),
    signOn: Type.Boolean({
      default: false,
      description: 'an optical head: begin at 300 baud in mode E of IEC 62056-21',
    }),
    referencing: Type.Enum(['LN', 'SN'], {
      default: 'LN',
      description: 'logical names, or the short names of old meters',
    }),
    mechanism: Type.Enum(MECHANISMS, {
      default: 'lowest',
      description: 'how this client proves itself, with what the keyring has of this source',
    }),
    ciphering: Type.Optional(Ciphering),
    authentication,
    counter: Counter,
    clientTitle: Type.Optional(
      Type.String({
        pattern: '^[0-9A-Fa-f]{16}$',
        description: 'system title of this client, 8 bytes in hex; its own for each gateway',
      }),
    ),
    preEstablished: Type.Boolean({
      default: false,
      description: 'the association stands already: nothing is proposed or proven',
    }),
    answerSeconds: Type.Integer({
      minimum: 4,
      maximum: 600,
      default: 60,
      description: 'how long an answer may take; a quarter of it for who does not answer at all',
    }),
    read: Type.Union([ProfileReading, RegisterReading]),
    every: Every,
    clock: Type.Optional(MeterClock),
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
