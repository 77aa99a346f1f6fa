/** AES-GCM as a port (NIST SP 800-38D): pure rooms have no cipher of their own. */
export interface AesGcm {
  /** Key of 16 or 32 bytes, nonce of 12 bytes; `tagLength` in bytes, 12 in DLMS/COSEM. */
  seal(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    additionalData: Uint8Array,
    tagLength: number,
  ): { readonly ciphertext: Uint8Array; readonly tag: Uint8Array };
  /**
   * The plaintext, or `undefined` when the tag is wrong. Without a tag the text is deciphered but
   * nothing is proven: the caller marks what it reads as unverified.
   */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    additionalData: Uint8Array,
    tag: Uint8Array | undefined,
  ): Uint8Array | undefined;
}
