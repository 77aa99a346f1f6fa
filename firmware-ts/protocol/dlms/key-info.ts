import { APDU_TAG } from './apdu-tags.ts';
import type { GeneralHeader } from './general-header.ts';
import { HEADER_FIELDS } from './general-header.ts';
import { OCTET_STRING, U8, apdu, choice, optional, sequence } from './layout.ts';

/** Which key a general-ciphering APDU is ciphered with (IEC 62056-5-3, 8.4: Key-Info). */
export type KeyInfo =
  | {
      readonly kind: 'identified-key';
      /** 0 is the global unicast, 1 the global broadcast encryption key. */
      readonly keyId: number;
    }
  | {
      readonly kind: 'wrapped-key';
      /** 0 is the master key. */
      readonly kekId: number;
      readonly keyCipheredData: Uint8Array;
    }
  | {
      readonly kind: 'agreed-key';
      /** One byte, of `KEY_AGREEMENT`. */
      readonly keyParameters: Uint8Array;
      /** One-pass: the ephemeral point and its signature; static: nothing. */
      readonly keyCipheredData: Uint8Array;
    };

/** Schemes of key agreement (IEC 62056-5-3, 5.3.4.6; NIST SP 800-56A). */
export const KEY_AGREEMENT = {
  /** C(1e, 1s, ECC CDH). */
  onePass: 1,
  /** C(0e, 2s, ECC CDH). */
  staticUnified: 2,
} as const;

export const MASTER_KEY_ID = 0;
export const KEY_ID = { unicast: 0, broadcast: 1 } as const;

/** General-Ciphering (IEC 62056-5-3, 8.4). */
export interface KeyedCiphering extends GeneralHeader {
  /** Absent where the key is that of before. */
  readonly keyInfo?: KeyInfo;
  /** Security control, invocation counter, text, tag. */
  readonly cipheredContent: Uint8Array;
}

type Agreed = Extract<KeyInfo, { kind: 'agreed-key' }>;
type Wrapped = Extract<KeyInfo, { kind: 'wrapped-key' }>;
type Identified = Extract<KeyInfo, { kind: 'identified-key' }>;

const KEY_INFO = choice<KeyInfo>({
  'identified-key': [0, sequence<Omit<Identified, 'kind'>>({ keyId: U8 })],
  'wrapped-key': [1, sequence<Omit<Wrapped, 'kind'>>({ kekId: U8, keyCipheredData: OCTET_STRING })],
  'agreed-key': [
    2,
    sequence<Omit<Agreed, 'kind'>>({ keyParameters: OCTET_STRING, keyCipheredData: OCTET_STRING }),
  ],
});

export const GENERAL_CIPHERING = apdu(
  APDU_TAG.generalCiphering,
  sequence<KeyedCiphering>({
    ...HEADER_FIELDS,
    keyInfo: optional(KEY_INFO),
    cipheredContent: OCTET_STRING,
  }),
);
