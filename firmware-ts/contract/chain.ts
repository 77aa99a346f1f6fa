/** SHA-256 of the machine; the room itself has no ciphers. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

const CHAIN_BYTES = 32;
const NUMBER_BYTES = 8;

/** H(−1), the chain of a stream and epoch of which nothing has been delivered. */
export function chainStart(): Uint8Array {
  return new Uint8Array(CHAIN_BYTES);
}

/**
 * H(n) = SHA-256(H(n−1) ∥ n as u64 ∥ canonical form of observation n); see `formsOfRecords`. A
 * number that is named in a gap has an empty form and leaves the chain as it was: a gap costs
 * nothing however long it is, and none can be closed later, since what follows bears its number.
 */
export function advance(
  sha256: Sha256,
  chain: Uint8Array,
  sequence: number,
  form: Uint8Array,
): Uint8Array {
  if (form.length === 0) return chain;
  const bytes = new Uint8Array(CHAIN_BYTES + NUMBER_BYTES + form.length);
  bytes.set(chain);
  const view = new DataView(bytes.buffer);
  view.setUint32(CHAIN_BYTES, Math.floor(sequence / 2 ** 32));
  view.setUint32(CHAIN_BYTES + 4, sequence >>> 0);
  bytes.set(form, CHAIN_BYTES + NUMBER_BYTES);
  return sha256(bytes);
}

/** `advance` over consecutive observations, the first of which is number `sequence`. */
export function advanceAll(
  sha256: Sha256,
  chain: Uint8Array,
  sequence: number,
  forms: readonly Uint8Array[],
): Uint8Array {
  return forms.reduce((at, form, index) => advance(sha256, at, sequence + index, form), chain);
}
