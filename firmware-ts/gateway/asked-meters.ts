import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { openAskedMeter } from '#acquisition/asked-meter.ts';
import type { Device } from '#acquisition/device.ts';
import { LineTurns } from '#acquisition/line-turns.ts';
import { meterAccess } from '#acquisition/meter-access.ts';
import type { OpenMeter } from '#acquisition/meter-access.ts';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import { fromHex } from '#bytes/hex.ts';
import type { Configuration, SourceConfiguration } from '#config/schema.ts';
import type { AssociationSettings } from '#identity/association-keys.ts';
import { usesCounter } from '#identity/association-keys.ts';
import { clientTitleOf } from '#identity/association.ts';
import type { CounterLedger } from '#identity/counter-ledger.ts';
import { holdCounterLedger } from '#identity/counter-lock.ts';
import type { HeldLedger } from '#identity/counter-lock.ts';
import { keyringMark, readKeyring } from '#identity/keyring.ts';
import type { Keyring } from '#identity/keyring.ts';
import { RefusalLedger } from '#identity/refusal-ledger.ts';
import { ReservedCounters } from '#identity/reserved-counter.ts';
import { openLink as openMachineLink } from '#link/open.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { machineCiphers } from '#system/ciphers.ts';
import type { Clock } from '#system/clock.ts';
import { noticeLog, zoneOf } from './devices.ts';
import { clockCheck } from './meter-clock.ts';
import type { ClockCheck } from './meter-clock.ts';
import type { MeterReader } from './meter-reader.ts';
import { profileReader, registerReader } from './meter-reader.ts';
import type { ReadingPath } from './path.ts';
import type { GatewayPorts } from './ports.ts';
import { Throttle } from './throttle.ts';

type AskedSource = Extract<SourceConfiguration, { readonly protocol: 'dlms' }>;

/** Opens every meter that is asked; those of one line take turns. Errors: those of the keyring. */
export function openAskedMeters(
  configuration: Pick<Configuration, 'sources' | 'keyring' | 'gateway' | 'state'>,
  path: Pick<ReadingPath, 'keepAll' | 'newest'>,
  ports: GatewayPorts,
  ledger: CounterLedger | undefined,
): readonly Device[] {
  const { sources, keyring: file, gateway, state } = configuration;
  const asked = sources.filter((source) => source.protocol === 'dlms');
  const keyring = file === undefined || asked.length === 0 ? undefined : readKeyring(file);
  const counters = ledger === undefined ? undefined : new ReservedCounters(ledger);
  const parts = { keyring, counters, gateway };
  const mark = file === undefined ? '' : keyringMark(file);
  const refusals = new RefusalLedger(join(state, 'refusals'));
  const turns = new LineTurns();
  const { clock, entropy, log } = ports;
  return asked.map((source) =>
    openAskedMeter({
      name: source.name,
      line: lineOf(source),
      turns,
      slots: {
        everyMs: source.every.minutes * 60_000,
        offsetMs: source.every.offsetSeconds * 1000,
      },
      open: accessOf(source, ports, parts),
      refusals: refusals.of(source.name, fingerprintOf(source, mark)),
      read: readerOf(source, path, clock),
      ...checkOf(source, clock),
      keep: (observations) => path.keepAll(source.name, observations),
      clock,
      entropy,
      notice: noticeLog(source.name, log, new Throttle(clock)),
    }),
  );
}

interface AskedParts {
  readonly keyring: Keyring | undefined;
  readonly counters: ReservedCounters | undefined;
  readonly gateway: string;
}

/** Another when the source or the keyring was changed. It tells nothing of any key. */
function fingerprintOf(source: AskedSource, keyring: string): string {
  return createHash('sha256')
    .update(JSON.stringify([source, keyring]))
    .digest('hex');
}

function readerOf(
  source: AskedSource,
  path: Pick<ReadingPath, 'newest'>,
  clock: Clock,
): MeterReader {
  const { name, read } = source;
  const options = { source: name, clock, zone: zoneOf(source) };
  if (read.kind === 'registers') return registerReader(read.objects, options);
  return profileReader(read.object, { ...options, newest: () => path.newest(name) });
}

function checkOf(source: AskedSource, clock: Clock): { readonly checkClock?: ClockCheck } {
  if (source.clock === undefined) return {};
  const { everyHours, offSeconds, setWithinSeconds } = source.clock;
  const everyMs = everyHours * 3_600_000;
  const options = { everyMs, offSeconds, setWithinSeconds, clock, zone: zoneOf(source) };
  return { checkClock: clockCheck(options) };
}

/** One bus, or one port of one host, whatever is behind it. */
function lineOf({ name, link }: AskedSource): string {
  if (link.kind === 'serial') return link.path;
  return 'host' in link ? `${link.host}:${link.port}` : name;
}

/** How a source is asked. Errors: `key-missing`, `not-authenticated`. */
function accessOf(
  source: AskedSource,
  { clock, entropy, openLink = openMachineLink }: GatewayPorts,
  { keyring, counters, gateway }: AskedParts,
): OpenMeter {
  const { name, link, client, logical, physical, signOn, clientTitle, counter } = source;
  const serial = link.kind === 'serial';
  const keys = keyring?.named(name);
  return meterAccess({
    settings: settingsOf(source),
    client,
    clientTitle: clientTitle === undefined ? clientTitleOf('normd', gateway) : fromHex(clientTitle),
    counterSource:
      counter.beginAt === undefined
        ? { client: counter.client, object: obisFrom(counter.object) }
        : { beginAt: counter.beginAt },
    ...(keys === undefined ? {} : { keys }),
    ...(counters === undefined ? {} : { counters }),
    openLink: () => openLink(link, { clock, entropy }),
    apduLink: (asks) =>
      meterLinkOf({
        framing: source.framing ?? (serial ? 'hdlc' : 'wrapper'),
        client: asks,
        logical,
        ...(physical === undefined ? {} : { physical }),
        mayEcho: serial,
        ...(signOn ? { signOn: {} } : {}),
      }),
    clock,
    ciphers: machineCiphers,
    answerTimeoutMs: source.answerSeconds * 1000,
  });
}

function settingsOf(source: AskedSource): AssociationSettings {
  const { referencing, mechanism, ciphering, authentication, preEstablished } = source;
  const ciphered = ciphering === undefined ? {} : { ciphering };
  return { referencing, mechanism, authentication, preEstablished, ...ciphered };
}

/**
 * The ledger of invocation counters, where any source uses one; held until the gateway stops.
 * Errors: those of `holdCounterLedger`.
 */
export async function holdCounters({
  sources,
  state,
}: Pick<Configuration, 'sources' | 'state'>): Promise<HeldLedger | undefined> {
  const used = sources.some(
    (source) => source.protocol === 'dlms' && usesCounter(settingsOf(source)),
  );
  return used ? holdCounterLedger(join(state, 'counters')) : undefined;
}
