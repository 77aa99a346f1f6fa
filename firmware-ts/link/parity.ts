export type Parity = 'even' | 'odd';

const CHARACTER = 0x7f;

/** Characters of seven bits with the parity bit above them. */
export function withParity(characters: Uint8Array, parity: Parity): Uint8Array {
  const base = parity === 'odd' ? 1 : 0;
  return characters.map((character) => {
    let ones = base;
    for (let bits = character & CHARACTER; bits !== 0; bits &= bits - 1) ones += 1;
    return (character & CHARACTER) | ((ones & 1) << 7);
  });
}

/** The check is left to what the characters carry: telegrams have their own. */
export function withoutParity(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte) => byte & CHARACTER);
}
