import type { AssociationSettings } from '#identity/association-keys.ts';
import { PUBLIC, checkKeys, usesCounter } from '#identity/association-keys.ts';
import { MeterAssociation } from '#identity/association.ts';
import type { MeterKeys } from '#identity/meter-keys.ts';
import type { ReservedCounter, ReservedCounters } from '#identity/reserved-counter.ts';
import type { Link } from '#link/link.ts';
import { ShortNameTable } from '#protocol/cosem/short-names.ts';
import type { Ciphers } from '#protocol/ciphers.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { Resynchronisation } from '#protocol/dlms/resynchronise.ts';
import type { Clock } from '#system/clock.ts';
import type { MeterNotice, MeterSession } from './meter-session.ts';
import { openMeterSession } from './meter-session.ts';
import type { CounterOrigin } from './secured-session.ts';
import { openSecuredSession } from './secured-session.ts';

/** Where the counter of a key is learned from: an object that a public client may read, or said. */
export type CounterSource =
  { readonly client: number; readonly object: Uint8Array } | { readonly beginAt: number };

export interface MeterAccessOptions {
  readonly settings: AssociationSettings;
  readonly keys?: MeterKeys;
  readonly clientTitle: Uint8Array;
  readonly client: number;
  /** Where the settings use one. */
  readonly counters?: ReservedCounters;
  readonly counterSource: CounterSource;
  readonly openLink: () => Link;
  /** A data link to the meter as this client. */
  readonly apduLink: (client: number) => ApduLink;
  readonly clock: Clock;
  readonly ciphers: Ciphers;
  readonly answerTimeoutMs?: number;
}

/** Opens a session; what the meter says unasked, and what was no good, goes to `notice`. */
export type OpenMeter = (notice?: (event: MeterNotice) => void) => MeterSession;

/**
 * How one meter is reached and who asks: each call of the result opens a session of its own.
 * Errors: `key-missing`, `not-authenticated`, before anything is sent.
 */
export function meterAccess(options: MeterAccessOptions): OpenMeter {
  const { settings, keys, clientTitle, ciphers, client } = options;
  checkKeys(settings, keys);
  const counter = counterOf(options);
  const shortNames = settings.referencing === 'SN' ? new ShortNameTable() : undefined;
  const resynchronisation = new Resynchronisation();
  const associate = (): MeterAssociation =>
    new MeterAssociation({
      settings,
      clientTitle,
      ciphers,
      ...(keys === undefined ? {} : { keys }),
      ...(counter === undefined ? {} : { counter }),
    });
  associate();
  return (notice) =>
    openSecuredSession({
      open: (association) => sessionAs(client, association, { ...options, notice }, shortNames),
      associate,
      origin: originOf(options),
      resynchronisation,
      ...(counter === undefined ? {} : { counter }),
      ...(shortNames === undefined ? {} : { shortNames }),
    });
}

function counterOf({
  settings,
  keys,
  counters,
  clientTitle,
}: MeterAccessOptions): ReservedCounter | undefined {
  const key = keys?.cipherKeys().encryption;
  return usesCounter(settings) && key !== undefined ? counters?.of(clientTitle, key) : undefined;
}

function originOf(options: MeterAccessOptions): CounterOrigin {
  const { counterSource: source, clientTitle, ciphers } = options;
  if ('beginAt' in source) return { kind: 'known', beginAt: source.beginAt };
  const { client, object } = source;
  const association = new MeterAssociation({ settings: PUBLIC, clientTitle, ciphers });
  return {
    kind: 'meter',
    object,
    openPublic: () => sessionAs(client, association, options, undefined),
  };
}

interface Reached extends MeterAccessOptions {
  readonly notice?: ((event: MeterNotice) => void) | undefined;
}

function sessionAs(
  client: number,
  association: MeterAssociation,
  { openLink, apduLink, clock, notice, answerTimeoutMs }: Reached,
  shortNames: ShortNameTable | undefined,
): MeterSession {
  const patient = {
    ...(shortNames === undefined ? {} : { shortNames }),
    ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }),
  };
  return openMeterSession({
    link: openLink(),
    connect: () => new DlmsClient({ ...association.secured(), ...patient, link: apduLink(client) }),
    clock,
    security: association,
    ...(notice === undefined ? {} : { notice }),
  });
}
