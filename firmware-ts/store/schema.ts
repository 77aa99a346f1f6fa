import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';

/** Marks the file as ours in SQLite's header (offset 68): `nrmd`. */
export const APPLICATION_ID = 0x6e726d64;

/** Lanes of a back-end: one a class, in the order of `DELIVERY_CLASSES`. */
export const LANES = DELIVERY_CLASSES.length;

/** What becomes of an entry; the words of column `state`. */
export const STATE = { due: 0, awaitsReceipt: 1, quarantined: 2 } as const;

/** How bytes lie in a row: as they are, by zstd; one observation without a head (version 1). */
export const PACKING = { plain: 0, zstd: 1, bare: 2 } as const;

/**
 * Entries are numbered from here on in a file that begins `epoch`: an acknowledgement that comes
 * late, for an entry of a file set aside, must not delete one of the new file.
 */
export function firstEntryOf(epoch: number): number {
  return epoch * ENTRIES_PER_EPOCH;
}

/** The least epoch whose entries come after all below `nextEntry`. */
export function epochAfter(nextEntry: number): number {
  return Math.ceil(nextEntry / ENTRIES_PER_EPOCH);
}

/**
 * Epochs are seconds, and over the life of a file nobody appends so many in each. Numbers stay
 * within those that are believed (`repair.ts`) until the year 4147.
 */
export const ENTRIES_PER_EPOCH = 2 ** 16;
