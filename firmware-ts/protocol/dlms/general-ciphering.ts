import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { AesGcm } from '../aead.ts';
import { APDU_TAG, apduName } from './apdu-tags.ts';
import type { Deciphered, Sealing } from './ciphering.ts';
import { decipher, encipher } from './ciphering.ts';
import { readLength, writeLength } from './length.ts';
import type { AuthenticationPolicy, CipherKeys } from './security.ts';
import { SYSTEM_TITLE_BYTES } from './security.ts';

/**
 * general-glo-ciphering and general-ded-ciphering (IEC 62056-5-3, Annex C):
 * `SEQUENCE { system-title OCTET STRING, ciphered-content OCTET STRING }`.
 */
export interface GeneralCiphering {
  readonly kind: 'general-glo-ciphering' | 'general-ded-ciphering';
  readonly systemTitle: Uint8Array;
  /** Security control, invocation counter, text, tag. */
  readonly content: Uint8Array;
  /** Bytes of the APDU; others may follow it. */
  readonly length: number;
}

const TAG_OF = {
  'general-glo-ciphering': APDU_TAG.generalGloCiphering,
  'general-ded-ciphering': APDU_TAG.generalDedCiphering,
} as const;

/** Reads the envelope without opening it. Errors: `truncated`, `unexpected-apdu`, `bad-length`. */
export function decodeGeneralCiphering(apdu: Uint8Array): GeneralCiphering {
  const reader = new Reader(apdu);
  const tag = reader.u8('apdu-tag');
  if (tag !== APDU_TAG.generalGloCiphering && tag !== APDU_TAG.generalDedCiphering) {
    throw new OperatingError('unexpected-apdu', `${apduName(tag)} is no general ciphering`, {
      offset: 0,
      field: 'apdu-tag',
    });
  }
  const titleLength = readLength(reader, 'system-title');
  if (titleLength !== SYSTEM_TITLE_BYTES) {
    throw new OperatingError('bad-system-title', `${titleLength} bytes instead of 8`, {
      offset: reader.offset - 1,
      field: 'system-title',
    });
  }
  const systemTitle = reader.take(titleLength, 'system-title');
  const content = reader.take(readLength(reader, 'ciphered-content'), 'ciphered-content');
  const glo = tag === APDU_TAG.generalGloCiphering;
  const kind = glo ? 'general-glo-ciphering' : 'general-ded-ciphering';
  return { kind, systemTitle, content, length: reader.offset };
}

/** The envelope around a ciphered body. */
export function encodeGeneralCiphering(
  envelope: Pick<GeneralCiphering, 'kind' | 'systemTitle' | 'content'>,
): Uint8Array {
  const writer = new Writer(envelope.content.length + 16).u8(TAG_OF[envelope.kind]);
  writeLength(writer, envelope.systemTitle.length).bytes(envelope.systemTitle);
  return writeLength(writer, envelope.content.length).bytes(envelope.content).finish();
}

/**
 * Opens a general-glo- or general-ded-ciphering APDU. What it holds is an APDU, or whatever
 * `plausible` accepts (an encrypted P1 telegram begins with `/`). Errors: those of
 * `decodeGeneralCiphering` and `decipher`.
 */
export function openGeneralCiphering(
  apdu: Uint8Array,
  keys: CipherKeys,
  policy: AuthenticationPolicy,
  cipher: AesGcm,
  plausible?: (plaintext: Uint8Array) => boolean,
): Deciphered {
  const { kind, systemTitle, content } = decodeGeneralCiphering(apdu);
  const dedicated = kind === 'general-ded-ciphering';
  const acceptance = plausible === undefined ? {} : { plausible };
  return decipher(content, { systemTitle, keys, policy, cipher, dedicated, ...acceptance });
}

/** The APDU that `openGeneralCiphering` opens; `sealing.dedicated` chooses its kind. */
export function sealGeneralCiphering(plaintext: Uint8Array, sealing: Sealing): Uint8Array {
  const kind = sealing.dedicated === true ? 'general-ded-ciphering' : 'general-glo-ciphering';
  const content = encipher(plaintext, sealing);
  return encodeGeneralCiphering({ kind, systemTitle: sealing.systemTitle, content });
}

/** A service-specific glo- or ded-APDU: its own tag, then the ciphered body. */
export interface ServiceCiphering {
  readonly tag: number;
  readonly content: Uint8Array;
}

const SERVICE_TAGS: ReadonlySet<number> = new Set(
  Object.entries(APDU_TAG)
    .filter(([name]) => /^(glo|ded)[A-Z]/.test(name))
    .map(([, tag]) => tag),
);

/**
 * Reads a service-specific ciphered APDU (IEC 62056-5-3, 5.3.5.2). It names no system title: the
 * peers exchanged theirs when they associated. There is none for data-notification.
 */
export function decodeServiceCiphering(apdu: Uint8Array): ServiceCiphering {
  const reader = new Reader(apdu);
  const tag = reader.u8('apdu-tag');
  if (!SERVICE_TAGS.has(tag)) {
    throw new OperatingError('unexpected-apdu', `${apduName(tag)} is no ciphered service`, {
      offset: 0,
      field: 'apdu-tag',
    });
  }
  const content = reader.take(readLength(reader, 'ciphered-content'), 'ciphered-content');
  return { tag, content };
}

export function encodeServiceCiphering({ tag, content }: ServiceCiphering): Uint8Array {
  const writer = new Writer(content.length + 8).u8(tag);
  return writeLength(writer, content.length).bytes(content).finish();
}
