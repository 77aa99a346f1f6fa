import { randomBytes } from 'node:crypto';

/** Randomness as a port, so that a test replays a life from one seed. */
export interface Entropy {
  /** A number in [0, 1), for jitter; not for secrets. */
  fraction(): number;
  /** Unpredictable bytes, for keys, nonces and challenges. */
  bytes(length: number): Uint8Array;
}

export const machineEntropy: Entropy = {
  fraction: () => Math.random(),
  bytes: (length) => randomBytes(length),
};
