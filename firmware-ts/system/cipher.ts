import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { AesGcm } from '#protocol/aead.ts';

/** AES-GCM of the machine's OpenSSL. */
export const machineAesGcm: AesGcm = {
  seal(key, nonce, plaintext, additionalData, tagLength) {
    const cipher = createCipheriv(algorithmOf(key), key, nonce, { authTagLength: tagLength });
    cipher.setAAD(additionalData);
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    return { ciphertext, tag: cipher.getAuthTag() };
  },
  open(key, nonce, ciphertext, additionalData, tag) {
    const length = tag === undefined ? {} : { authTagLength: tag.length };
    const decipher = createDecipheriv(algorithmOf(key), key, nonce, length);
    decipher.setAAD(additionalData);
    // GCM is a stream cipher: update() already gives the whole text, final() only judges the tag.
    const plaintext = decipher.update(ciphertext);
    if (tag === undefined) return plaintext;
    decipher.setAuthTag(tag);
    try {
      decipher.final();
      return plaintext;
    } catch {
      return undefined; // the only failure of final() here is a tag that does not match
    }
  },
};

function algorithmOf(key: Uint8Array): 'aes-128-gcm' | 'aes-256-gcm' {
  return key.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm';
}
