import Type from 'typebox';
import type { Static } from 'typebox';
import { RULES_MAX } from '#policy/rule.ts';
import { SILENT_MS as DLMS_SILENT_MS } from '#protocol/dlms/push.ts';
import { SILENT_MS as P1_SILENT_MS } from '#protocol/p1/connection.ts';
import { COMMIT_DELAY_MS, OUTBOX_RETENTION, RETENTION } from '#store/store.ts';
import type { Annotation } from './annotation.ts';
import { NAMED, SOURCES_MAX, annotated, closed, name } from './schema-parts.ts';
import { PolicyRule } from './schema-policy.ts';
import type { PolicyRuleConfiguration } from './schema-policy.ts';

/**
 * The configuration as a JSON Schema and, from the same table, as a type. It describes what the
 * rest of normd gets: a property with a `default` is always there, though the file may leave it
 * out. What JSON Schema cannot say (a file that must exist, a name that must be known) stands in
 * `x-normd` beside the property, see annotation.ts.
 */
const BACKENDS_MAX = 16; // each has a session, a queue and a share of the disk
const BROKERS_MAX = 4; // all are tried within five minutes of a death, each for half a minute
const PEERS_MAX = 256;

const path = (kind: NonNullable<Annotation['path']>, options: { default?: string } = {}) =>
  Type.String({
    minLength: 1,
    maxLength: 4096,
    description: PATHS[kind],
    ...options,
    ...annotated({ path: kind }),
  });
const PATHS = {
  any: 'a path; a relative one begins at the folder of this file',
  readable: 'a file that exists; a relative path begins at the folder of this file',
  secret: 'a file that only its owner may read (0600)',
  key: 'a file (0600) with the key in hex, 16 or 32 bytes',
  keyring: 'a YAML file (0600) with the keys of meters by their names',
} as const;

const port = Type.Integer({ minimum: 1, maximum: 65535, description: 'a port, 1 to 65535' });
const host = Type.String({
  pattern: '^[A-Za-z0-9.:_-]{1,253}$',
  description: 'a host name or an IP address',
});
/** Nothing listens towards the network unless told to. */
const address = Type.String({
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
  { kind: Type.Literal('tcp-listen'), address, port, peersMax },
  closed,
);
const UdpLink = Type.Object({ kind: Type.Literal('udp'), address, port, peersMax }, closed);
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
const EXAMPLE = {
  name: 'meter1',
  protocol: 'p1',
  link: { kind: 'serial', path: '/dev/ttyUSB0', baud: 115_200 },
};
const Source = Type.Union([DlmsPushSource, P1Source, C37118Source], { examples: [EXAMPLE] });

const Identity = Type.Object(
  { key: path('secret'), certificate: path('readable'), trust: path('readable') },
  { ...closed, description: 'PEM files: private key, certificate chain, trust anchors' },
);
const brokerUrl = Type.String({
  pattern:
    '^mqtts?://[A-Za-z0-9._-]+(:[0-9]{1,5})?/?$|^mqtts?://\\[[0-9A-Fa-f:]+\\](:[0-9]{1,5})?/?$',
  description: 'mqtts://host:port',
  ...annotated({ rule: 'broker-url' }),
});
const Broker = Type.Object(
  {
    url: brokerUrl,
    weight: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 1,
      description: 'the heaviest that is well is used, equal ones share; url itself weighs 100',
    }),
  },
  closed,
);
const Connect = Type.Object(
  {
    cron: Type.String({
      minLength: 9,
      maxLength: 200,
      description: 'when a window begins: minute, hour, day, month and weekday',
    }),
    minutes: Type.Integer({ minimum: 1, maximum: 10_080, description: 'how long it lasts' }),
    timeZone: Type.String({
      pattern: '^[A-Za-z0-9_+:/-]{1,64}$',
      default: 'UTC',
      description: 'the time zone of cron, such as Europe/Amsterdam',
    }),
  },
  {
    ...closed,
    ...annotated({ rule: 'schedule' }),
    description: 'when a metered link is used; what is urgent goes at any time',
  },
);
const Outbox = Type.Object(
  {
    maxDays: Type.Integer({
      minimum: 1,
      maximum: 3650,
      default: OUTBOX_RETENTION.ageMs / 86_400_000,
      description: 'days that readings wait for this back-end',
    }),
    maxMegabytes: Type.Integer({
      minimum: 1,
      maximum: 1_048_576,
      default: OUTBOX_RETENTION.bytes / 1_048_576,
      description: 'MiB that wait for it at most',
    }),
  },
  {
    ...closed,
    default: {},
    description: 'what waits beyond this is dropped, the least urgent and oldest first, and named',
  },
);
const Backend = Type.Object(
  {
    name: name({ defines: 'backend' }),
    url: brokerUrl,
    brokers: Type.Optional(
      Type.Array(Broker, {
        minItems: 1,
        maxItems: BROKERS_MAX - 1,
        description: 'further brokers of this back-end',
      }),
    ),
    identity: Type.Optional(Identity),
    bytesPerSecond: Type.Optional(
      Type.Integer({
        minimum: 10,
        maximum: 1_000_000_000,
        description: 'what a metered link may carry in the long run, both ways together',
      }),
    ),
    connect: Type.Optional(Connect),
    outbox: Outbox,
    compression: Type.Enum(['none', 'zstd'], {
      default: 'none',
      description: 'of payloads; what is shorter without it goes as it is',
    }),
    receipts: Type.Optional(
      Type.Boolean({
        description: 'keep what the broker has until the back-end says on rc that it has it',
      }),
    ),
    batchMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 60_000,
        description: 'what is new and not urgent waits so long for more, to travel together',
      }),
    ),
  },
  { ...closed, ...annotated({ rule: 'backend' }) },
);
export const ConfigurationSchema = Type.Object(
  {
    gateway: Type.String({
      ...NAMED,
      description: `the name of this gateway: ${NAMED.description}`,
      examples: ['gw-0001'],
    }),
    state: path('any', { default: '/var/lib/normd' }),
    keyring: Type.Optional(path('keyring')),
    control: Type.Object(
      { socket: path('any', { default: '/run/normd/control.sock' }) },
      { ...closed, default: {}, description: 'where normctl asks' },
    ),
    store: Type.Object(
      {
        retainDays: Type.Integer({
          minimum: 1,
          maximum: 3650,
          default: RETENTION.ageMs / 86_400_000,
          description: 'days that the readings of each source are kept at home',
        }),
        retainMegabytes: Type.Integer({
          minimum: 16,
          maximum: 1_048_576,
          default: RETENTION.bytes / 1_048_576,
          description: 'MiB kept of each source; the disk needs so much for every one of them',
        }),
        commitDelayMs: Type.Integer({
          minimum: 0,
          maximum: 5000,
          default: COMMIT_DELAY_MS,
          description:
            'how long a reading waits for others to be written to the disk with it, ms: longer ' +
            'wears a card less, and a power cut takes more of what was not confirmed; alarms ' +
            'and commands do not wait',
        }),
      },
      { ...closed, default: {}, description: 'what is kept at home, and how it is written' },
    ),
    sources: Type.Array(Source, {
      minItems: 1,
      maxItems: SOURCES_MAX,
      description: 'devices',
      examples: [[EXAMPLE]],
    }),
    backends: Type.Array(Backend, { maxItems: BACKENDS_MAX, default: [] }),
    policy: Type.Array(PolicyRule, {
      maxItems: RULES_MAX,
      default: [],
      description: 'what may leave the house; no rule, nothing leaves',
    }),
  },
  { ...closed, title: 'normd configuration' },
);

/** A checked configuration: paths absolute, defaults filled in, names unique and known. */
export type Configuration = Static<typeof ConfigurationSchema>;
export type SourceConfiguration = Static<typeof Source>;
export type LinkConfiguration = Static<typeof Link>;
export type BackendConfiguration = Static<typeof Backend>;
export type { PolicyRuleConfiguration };
