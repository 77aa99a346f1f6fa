import { OperatingError } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import type { Ciphers } from '../ciphers.ts';
import { APDU_TAG } from './apdu-tags.ts';
import { encipher } from './ciphering.ts';
import type { GeneralHeader } from './general-header.ts';
import { TRANSACTION_ID_BYTES, headerBytes, headerOf } from './general-header.ts';
import type { AgreementKeys } from './key-agreement.ts';
import { agreeOnePass, agreeStatic, agreedKey } from './key-agreement.ts';
import type { KeyInfo } from './key-info.ts';
import { GENERAL_CIPHERING, KEY_ID, MASTER_KEY_ID } from './key-info.ts';
import { areEqual } from './octets.ts';
import type { AgreedKey } from './opener.ts';
import { Opener } from './opener.ts';
import type { Protection, Unprotected } from './protection.ts';
import type { CipheringOptions } from './protections.ts';
import { controlOf, gloDedProtection } from './protections.ts';
import { looksLikeService } from './service-tags.ts';

export interface KeyedOptions extends CipheringOptions {
  /** Who asks takes an answer under the transaction-id of the request, and who answers sends it. */
  readonly side: 'client' | 'server';
  readonly peerTitle: Uint8Array;
  readonly ciphers: Ciphers;
  /** How what goes out names its key. What comes in may name any that this side has. */
  readonly keyInfo: 'unicast' | 'broadcast' | 'wrapped' | 'one-pass' | 'static-unified';
  /** Master key (KEK), for wrapped keys. */
  readonly master?: Uint8Array;
  readonly agreementKeys?: AgreementKeys;
}

/** Header, point, signature (P-384) and their lengths, beside what glo-ciphering adds. */
const OVERHEAD_BYTES = 300;

const INITIATING: readonly (number | undefined)[] = [
  APDU_TAG.initiateRequest,
  APDU_TAG.initiateResponse,
];

/** Of the last request. */
interface Transaction {
  id: Uint8Array | undefined;
}

/**
 * Protects by general-ciphering (IEC 62056-5-3, 5.3.5.5): each APDU names its key, wraps it, or
 * brings what both sides work it out from. An InitiateRequest goes under the global key.
 */
export function keyedProtection(options: KeyedOptions): Protection {
  const transaction: Transaction = { id: undefined };
  const global = gloDedProtection({ ...options, form: 'service-specific' });
  const opener = new Opener({ ...options, plausible: looksLikeService });
  return {
    overheadBytes: OVERHEAD_BYTES,
    protect: (apdu) =>
      INITIATING.includes(apdu[0]) ? global.protect(apdu) : sealed(apdu, options, transaction),
    unprotect: (apdu, title) =>
      apdu[0] === APDU_TAG.generalCiphering
        ? opened(apdu, opener, options, transaction)
        : global.unprotect(apdu, title ?? options.peerTitle),
  };
}

function sealed(apdu: Uint8Array, options: KeyedOptions, transaction: Transaction): Uint8Array {
  const { ciphers, ownTitle, peerTitle, side } = options;
  const answered = side === 'server' ? transaction.id : undefined;
  const transactionId = answered ?? ciphers.randomBytes(TRANSACTION_ID_BYTES);
  if (side === 'client') transaction.id = transactionId;
  const header = headerOf(transactionId, ownTitle, peerTitle);
  const { key, keyInfo } = keyFor(header, options);
  const broadcastKey = options.keyInfo === 'broadcast';
  const cipheredContent = encipher(apdu, {
    systemTitle: ownTitle,
    securityControl: { ...controlOf(options), broadcastKey },
    invocationCounter: options.counters.next(),
    keys: key === undefined ? options.keys : { ...options.keys, encryption: key },
    cipher: options.cipher,
    header: headerBytes(header),
  });
  return GENERAL_CIPHERING.encode({ ...header, keyInfo, cipheredContent });
}

interface OutgoingKey {
  /** Absent where it is a global one. */
  readonly key?: Uint8Array;
  readonly keyInfo: KeyInfo;
}

function keyFor(header: GeneralHeader, options: KeyedOptions): OutgoingKey {
  const { ciphers, agreementKeys = {} } = options;
  switch (options.keyInfo) {
    case 'unicast':
    case 'broadcast':
      return { keyInfo: { kind: 'identified-key', keyId: KEY_ID[options.keyInfo] } };
    case 'one-pass':
      return agreeOnePass(agreementKeys, header, ciphers);
    case 'static-unified':
      return agreeStatic(agreementKeys, header, ciphers);
    case 'wrapped': {
      const key = ciphers.randomBytes(options.suite === 2 ? 32 : 16);
      const keyCipheredData = ciphers.wrapKey(masterOf(options), key);
      return { key, keyInfo: { kind: 'wrapped-key', kekId: MASTER_KEY_ID, keyCipheredData } };
    }
  }
}

function opened(
  apdu: Uint8Array,
  opener: Opener,
  options: KeyedOptions,
  transaction: Transaction,
): Unprotected {
  const { keyInfo, cipheredContent, ...header } = GENERAL_CIPHERING.decode(apdu);
  checkTitles(header, options);
  const agreed = keyInfo === undefined ? undefined : keyIn(keyInfo, header, options);
  if (options.side === 'client' && agreed !== undefined) checkAnswer(header, transaction);
  const { plaintext, verified } = opener.openContent({
    systemTitle: header.originatorSystemTitle,
    content: cipheredContent,
    header: headerBytes(header),
    ...(agreed === undefined ? {} : { agreed }),
  });
  if (options.side === 'server') transaction.id = header.transactionId;
  return { apdu: plaintext, verified };
}

/** An answer that brings its key has no counter that tells it from one of another day. */
function checkAnswer({ transactionId }: GeneralHeader, { id }: Transaction): void {
  if (id !== undefined && areEqual(transactionId, id)) return;
  throw new OperatingError('replayed', 'it answers another request than the last', {
    field: 'transaction-id',
    hint: 'somebody sends recordings, or this meter does not repeat the transaction-id',
  });
}

/** `undefined` for a global key, which the security control tells. */
function keyIn(
  keyInfo: KeyInfo,
  header: GeneralHeader,
  options: KeyedOptions,
): AgreedKey | undefined {
  const { ciphers, agreementKeys = {} } = options;
  switch (keyInfo.kind) {
    case 'identified-key':
      if (Object.values<number>(KEY_ID).includes(keyInfo.keyId)) return undefined;
      throw unknownKey('key-id', keyInfo.keyId);
    case 'wrapped-key': {
      const { kekId, keyCipheredData } = keyInfo;
      if (kekId !== MASTER_KEY_ID) throw unknownKey('kek-id', kekId);
      const key = ciphers.unwrapKey(masterOf(options), keyCipheredData);
      if (key === undefined) throw wrongMaster();
      return { key, name: toHex(keyCipheredData) };
    }
    case 'agreed-key': {
      const key = agreedKey(keyInfo, header, agreementKeys, ciphers);
      // Of the point alone: who alters the signature to another that fits makes no other key of it.
      const point = keyInfo.keyCipheredData.subarray(0, keyInfo.keyCipheredData.length >> 1);
      return { key, name: toHex(point.length > 0 ? point : header.transactionId) };
    }
  }
}

/** Who asks is not who answers: what we sent must not come back as an answer. */
function checkTitles(header: GeneralHeader, { ownTitle, peerTitle }: KeyedOptions): void {
  const { originatorSystemTitle: from, recipientSystemTitle: to } = header;
  const broadcast = to.length === 0;
  if (areEqual(from, peerTitle) && (broadcast || areEqual(to, ownTitle))) return;
  throw new OperatingError('bad-system-title', 'it is not from this meter to this client', {
    field: 'originator-system-title',
    hint: 'compare the system titles, and look who else is on this line',
  });
}

function masterOf({ master }: KeyedOptions): Uint8Array {
  if (master !== undefined) return master;
  throw new OperatingError('key-missing', 'no master key for a wrapped key', {
    field: 'master-key',
    hint: 'put it into the keyring, under the name of this meter',
  });
}

function unknownKey(field: string, id: number): OperatingError {
  return new OperatingError('key-missing', `no key has the ${field} ${id}`, { field });
}

function wrongMaster(): OperatingError {
  return new OperatingError('wrong-key', 'the master key does not fit', {
    field: 'master-key',
    hint: 'compare the master key with the one that the meter was given',
  });
}
