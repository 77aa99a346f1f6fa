import { APDU_TAG } from './apdu-tags.ts';

type TagName = keyof typeof APDU_TAG;

/** A service's tags under the global and under the dedicated key (IEC 62056-5-3, 5.3.5.2). */
export interface CipheredTags {
  readonly global: number;
  /** Absent for what is never sent under a dedicated key. */
  readonly dedicated?: number;
}

const SERVICES: readonly TagName[] = [
  'initiateRequest',
  'readRequest',
  'writeRequest',
  'initiateResponse',
  'readResponse',
  'writeResponse',
  'confirmedServiceError',
  'unconfirmedWriteRequest',
  'informationReportRequest',
  'getRequest',
  'setRequest',
  'eventNotificationRequest',
  'actionRequest',
  'getResponse',
  'setResponse',
  'actionResponse',
];

const TAGS: Readonly<Record<string, number>> = APDU_TAG;

const CIPHERED: ReadonlyMap<number, CipheredTags> = new Map(
  SERVICES.map((name) => [APDU_TAG[name], cipheredTagsOf(name)]),
);

const GLOBAL: ReadonlySet<number> = new Set([...CIPHERED.values()].map(({ global }) => global));
const DEDICATED = new Set([...CIPHERED.values()].map(({ dedicated }) => dedicated));

function cipheredTagsOf(name: TagName): CipheredTags {
  const Name = name.charAt(0).toUpperCase() + name.slice(1);
  const dedicated = TAGS[`ded${Name}`];
  const global = TAGS[`glo${Name}`] ?? 0;
  return { global, ...(dedicated === undefined ? {} : { dedicated }) };
}

/** `undefined` for ACCESS and data-notification, which only the general forms protect. */
export function cipheredTags(serviceTag: number): CipheredTags | undefined {
  return CIPHERED.get(serviceTag);
}

/** Which key ciphers an APDU with this tag; `undefined` if it is no service-specific ciphering. */
export function cipheringOf(tag: number): 'global' | 'dedicated' | undefined {
  if (GLOBAL.has(tag)) return 'global';
  return DEDICATED.has(tag) ? 'dedicated' : undefined;
}

/** The services between the peers, in clear: what a ciphered text can be. */
const IN_CLEAR: ReadonlySet<number> = new Set([
  ...CIPHERED.keys(),
  APDU_TAG.dataNotification,
  APDU_TAG.dataNotificationConfirm,
  APDU_TAG.exceptionResponse,
  APDU_TAG.accessRequest,
  APDU_TAG.accessResponse,
  APDU_TAG.generalBlockTransfer,
]);

export function looksLikeService(bytes: Uint8Array): boolean {
  const [tag] = bytes;
  return tag !== undefined && IN_CLEAR.has(tag);
}

/**
 * What a server says when it cannot say it ciphered (IEC 62056-5-3, 5.3.5.1): it refuses a request,
 * and brings no value in.
 */
export function isRefusal([tag]: Uint8Array): boolean {
  return tag === APDU_TAG.exceptionResponse || tag === APDU_TAG.confirmedServiceError;
}
