import { Reader, Writer } from '#bytes/cursor.ts';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { APDU_TAG, apduName } from './apdu-tags.ts';
import type { BerCodec, BerFields } from './ber.ts';
import {
  IMPLICIT_BYTES,
  IMPLICIT_INTEGER,
  OCTET_STRING,
  SMALL_INTEGER,
  explicitBytes,
  explicitIdentifier,
  implicitIdentifier,
  readBerFields,
  writeBerFields,
  writeTagged,
} from './ber.ts';
import { readLength } from './length.ts';

/** COSEM application contexts (IEC 62056-5-3, 7.2.2.2, Table 60). */
export const APPLICATION_CONTEXT = {
  LN: 1,
  SN: 2,
  'LN-ciphered': 3,
  'SN-ciphered': 4,
} as const;

/** COSEM authentication mechanisms (IEC 62056-5-3, 7.2.2.3, Table 61). */
export const MECHANISM = {
  lowest: 0,
  low: 1,
  high: 2,
  'high-md5': 3,
  'high-sha1': 4,
  'high-gmac': 5,
  'high-sha256': 6,
  'high-ecdsa': 7,
} as const;

export type MechanismName = keyof typeof MECHANISM;

/** A-Associate request (IEC 62056-5-3, Annex C: AARQ-apdu). */
export interface Aarq {
  /** A bit string: unused bits, then bits. Version 1 is the default. */
  readonly protocolVersion?: Uint8Array;
  /** Leaf of `APPLICATION_CONTEXT`. */
  readonly applicationContextName: number;
  readonly calledApTitle?: Uint8Array;
  readonly calledAeQualifier?: Uint8Array;
  readonly calledApInvocationId?: number;
  readonly calledAeInvocationId?: number;
  /** The client's system title. */
  readonly callingApTitle?: Uint8Array;
  /** The client's certificate for digital signature. */
  readonly callingAeQualifier?: Uint8Array;
  readonly callingApInvocationId?: number;
  /** The client's user. */
  readonly callingAeInvocationId?: number;
  readonly senderAcseRequirements?: Uint8Array;
  /** Leaf of `MECHANISM`. */
  readonly mechanismName?: number;
  /** Password, or challenge from client to server. */
  readonly callingAuthenticationValue?: Uint8Array;
  readonly implementationInformation?: Uint8Array;
  /** An InitiateRequest, in clear or ciphered. */
  readonly userInformation?: Uint8Array;
}

/** A-Associate response (AARE-apdu). */
export interface Aare {
  readonly protocolVersion?: Uint8Array;
  readonly applicationContextName: number;
  /** 0 accepted, 1 rejected for good, 2 rejected for now. */
  readonly result: number;
  readonly resultSourceDiagnostic: ResultSourceDiagnostic;
  /** The server's system title. */
  readonly respondingApTitle?: Uint8Array;
  /** The server's certificate for digital signature. */
  readonly respondingAeQualifier?: Uint8Array;
  readonly respondingApInvocationId?: number;
  readonly respondingAeInvocationId?: number;
  readonly responderAcseRequirements?: Uint8Array;
  readonly mechanismName?: number;
  /** Challenge from server to client. */
  readonly respondingAuthenticationValue?: Uint8Array;
  readonly implementationInformation?: Uint8Array;
  /** An InitiateResponse or a confirmed-service-error. */
  readonly userInformation?: Uint8Array;
}

export interface ResultSourceDiagnostic {
  readonly source: 'service-user' | 'service-provider';
  readonly diagnostic: number;
}

/** Release request and response (RLRQ-apdu, RLRE-apdu). */
export interface Release {
  readonly reason?: number;
  readonly userInformation?: Uint8Array;
  /** What of it could not be read; the release stands. */
  readonly defect?: Failure;
}

const CONTEXT_BRANCH = 1;
const MECHANISM_BRANCH = 2;
/** GraphicString, BIT STRING, EXTERNAL, other (Authentication-value). */
const AUTHENTICATION_VALUE = explicitBytes(0x80, 0x81, 0x82, 0x83);

const AARQ_FIELDS: BerFields<Aarq> = {
  protocolVersion: [0x80, IMPLICIT_BYTES],
  applicationContextName: [0xa1, explicitIdentifier(CONTEXT_BRANCH)],
  calledApTitle: [0xa2, OCTET_STRING],
  calledAeQualifier: [0xa3, OCTET_STRING],
  calledApInvocationId: [0xa4, SMALL_INTEGER],
  calledAeInvocationId: [0xa5, SMALL_INTEGER],
  callingApTitle: [0xa6, OCTET_STRING],
  callingAeQualifier: [0xa7, OCTET_STRING],
  callingApInvocationId: [0xa8, SMALL_INTEGER],
  callingAeInvocationId: [0xa9, SMALL_INTEGER],
  senderAcseRequirements: [0x8a, IMPLICIT_BYTES],
  mechanismName: [0x8b, implicitIdentifier(MECHANISM_BRANCH)],
  callingAuthenticationValue: [0xac, AUTHENTICATION_VALUE],
  implementationInformation: [0xbd, IMPLICIT_BYTES],
  userInformation: [0xbe, OCTET_STRING],
};

const DIAGNOSTIC: BerCodec<ResultSourceDiagnostic> = {
  read(content, field) {
    const user = content[0] === 0xa1;
    const value = explicitBytes(0xa1, 0xa2).read(content, field);
    const diagnostic = SMALL_INTEGER.read(value, field);
    return { source: user ? 'service-user' : 'service-provider', diagnostic };
  },
  write({ source, diagnostic }) {
    const value = SMALL_INTEGER.write(diagnostic);
    return explicitBytes(source === 'service-user' ? 0xa1 : 0xa2).write(value);
  },
};

const AARE_FIELDS: BerFields<Aare> = {
  protocolVersion: [0x80, IMPLICIT_BYTES],
  applicationContextName: [0xa1, explicitIdentifier(CONTEXT_BRANCH)],
  result: [0xa2, SMALL_INTEGER],
  resultSourceDiagnostic: [0xa3, DIAGNOSTIC],
  respondingApTitle: [0xa4, OCTET_STRING],
  respondingAeQualifier: [0xa5, OCTET_STRING],
  respondingApInvocationId: [0xa6, SMALL_INTEGER],
  respondingAeInvocationId: [0xa7, SMALL_INTEGER],
  responderAcseRequirements: [0x88, IMPLICIT_BYTES],
  mechanismName: [0x89, implicitIdentifier(MECHANISM_BRANCH)],
  respondingAuthenticationValue: [0xaa, AUTHENTICATION_VALUE],
  implementationInformation: [0xbd, IMPLICIT_BYTES],
  userInformation: [0xbe, OCTET_STRING],
};

const RELEASE_FIELDS: BerFields<Omit<Release, 'defect'>> = {
  reason: [0x80, IMPLICIT_INTEGER],
  userInformation: [0xbe, OCTET_STRING],
};

/** Errors: `unexpected-apdu`, `missing-field`, those of `readBerFields`. */
export function decodeAarq(apdu: Uint8Array): Aarq {
  const found = readBerFields(contentOf(apdu, APDU_TAG.aarq), AARQ_FIELDS);
  const { applicationContextName } = found;
  if (applicationContextName === undefined) throw missing('applicationContextName');
  return { ...found, applicationContextName };
}

export function encodeAarq(aarq: Aarq): Uint8Array {
  return sequence(APDU_TAG.aarq, writeBerFields(new Writer(), AARQ_FIELDS, aarq));
}

/** Errors: `unexpected-apdu`, `missing-field`, those of `readBerFields`. */
export function decodeAare(apdu: Uint8Array): Aare {
  const found = readBerFields(contentOf(apdu, APDU_TAG.aare), AARE_FIELDS);
  const { applicationContextName, result, resultSourceDiagnostic } = found;
  if (applicationContextName === undefined) throw missing('applicationContextName');
  if (result === undefined) throw missing('result');
  if (resultSourceDiagnostic === undefined) throw missing('resultSourceDiagnostic');
  return { ...found, applicationContextName, result, resultSourceDiagnostic };
}

export function encodeAare(aare: Aare): Uint8Array {
  return sequence(APDU_TAG.aare, writeBerFields(new Writer(), AARE_FIELDS, aare));
}

/** Errors: `unexpected-apdu`. */
export function decodeRlrq(apdu: Uint8Array): Release {
  return decodeRelease(apdu, APDU_TAG.rlrq);
}

export function encodeRlrq(release: Omit<Release, 'defect'>): Uint8Array {
  return sequence(APDU_TAG.rlrq, writeBerFields(new Writer(), RELEASE_FIELDS, release));
}

/** Errors: `unexpected-apdu`. */
export function decodeRlre(apdu: Uint8Array): Release {
  return decodeRelease(apdu, APDU_TAG.rlre);
}

export function encodeRlre(release: Omit<Release, 'defect'>): Uint8Array {
  return sequence(APDU_TAG.rlre, writeBerFields(new Writer(), RELEASE_FIELDS, release));
}

/**
 * Several clients and servers count the lengths in a release too short. The peer is gone whatever
 * it says there, so that a fault is a mark and no error.
 */
function decodeRelease(apdu: Uint8Array, tag: number): Release {
  const reader = new Reader(apdu);
  checkTag(reader, tag);
  try {
    return readBerFields(contentOf(apdu, tag), RELEASE_FIELDS);
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return { defect: failureOf(error) };
  }
}

function checkTag(reader: Reader, tag: number): void {
  const found = reader.u8('apdu-tag');
  if (found === tag) return;
  throw new OperatingError('unexpected-apdu', `${apduName(found)} instead of ${apduName(tag)}`, {
    offset: 0,
    field: 'apdu-tag',
  });
}

/** A reader of what is inside the APDU, and of nothing behind it. */
function contentOf(apdu: Uint8Array, tag: number): Reader {
  const reader = new Reader(apdu);
  checkTag(reader, tag);
  const length = readLength(reader, 'apdu-length');
  const start = reader.advance(length, 'apdu');
  if (reader.remaining > 0) {
    throw new OperatingError('trailing-bytes', `${reader.remaining} bytes after the APDU`, {
      offset: reader.offset,
    });
  }
  return new Reader(apdu, start, start + length);
}

function sequence(tag: number, content: Writer): Uint8Array {
  return writeTagged(new Writer(content.length + 4), tag, content.finish()).finish();
}

function missing(field: string): OperatingError {
  return new OperatingError('missing-field', `no ${field}`, { offset: 0, field });
}
