import type { Entropy } from '#system/entropy.ts';

/** xorshift32: the same fractions for the same seed. */
export function seeded(seed: number): Entropy {
  let state = seed | 1;
  const fraction = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return { fraction, bytes: (length) => Uint8Array.from({ length }, () => fraction() * 256) };
}
