import Type from 'typebox';
import type { Static } from 'typebox';
import { RULES_MAX } from '#policy/rule.ts';
import { COMMIT_DELAY_MS, OUTBOX_RETENTION, RETENTION } from '#store/store.ts';
import { SYNCHRONISED_FILE } from '#system/clock.ts';
import { NAMED, SOURCES_MAX, annotated, closed, name, path } from './schema-parts.ts';
import { PolicyRule } from './schema-policy.ts';
import type { PolicyRuleConfiguration } from './schema-policy.ts';
import { SOURCE_EXAMPLE, Source } from './schema-source.ts';
import type { LinkConfiguration, SourceConfiguration } from './schema-source.ts';

/**
 * The configuration as a JSON Schema and, from the same table, as a type. It describes what the
 * rest of normd gets: a property with a `default` is always there, though the file may leave it
 * out. What JSON Schema cannot say (a file that must exist, a name that must be known) stands in
 * `x-normd` beside the property, see annotation.ts.
 */
const BACKENDS_MAX = 16; // each has a session, a queue and a share of the disk
const BROKERS_MAX = 4; // all are tried within five minutes of a death, each for half a minute

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
        description:
          'what a metered link may carry in the long run, both ways together, connecting apart',
      }),
    ),
    connect: Type.Optional(Connect),
    outbox: Outbox,
    format: Type.Enum(['senml+cbor', 'senml+json'], {
      default: 'senml+cbor',
      description: 'form of payloads (RFC 8428); of JSON a manifest proves the numbers alone',
    }),
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
    clock: Type.Object(
      { synchronisedFile: path('any', { default: SYNCHRONISED_FILE }) },
      {
        ...closed,
        default: {},
        description: 'the wall clock is trusted while this file is there; whoever sets it makes it',
      },
    ),
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
      examples: [[SOURCE_EXAMPLE]],
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
export type BackendConfiguration = Static<typeof Backend>;
export type { LinkConfiguration, PolicyRuleConfiguration, SourceConfiguration };
