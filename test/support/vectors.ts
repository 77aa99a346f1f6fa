import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

/** Outside vectors live beside the checkout; they carry their own licences (see their README). */
export const VECTORS =
  process.env['NORMD_VECTORS'] ?? join(import.meta.dirname, '../../../shared/vectors');

/** `false`, or the reason to hand to a test's `skip`. */
export const withoutVectors: string | false = existsSync(VECTORS)
  ? false
  : `no vectors at ${VECTORS}: set NORMD_VECTORS to their folder`;

/** One meter vector, as `dlms/**` holds them. `expected` differs by source. */
export interface MeterVector {
  readonly id: string;
  readonly kind: string;
  readonly hex: string;
  readonly text?: string;
  readonly llc_hex?: string;
  readonly keys?: { readonly guek: string | null; readonly gak: string | null };
  readonly expected?: Readonly<Record<string, unknown>>;
  readonly check?: Readonly<Record<string, unknown>>;
  readonly notes?: string;
  /** How another implementation reads the bytes. */
  readonly gurux_xml?: string;
}

/** Our own, which every clone has. */
const OWN_VECTORS = join(import.meta.dirname, '../vectors/own');

/**
 * Every vector below `folder` whose kind is one of `kinds`: the outside ones, then ours. Tests are
 * made of them in loops, which without the outside ones would pass over their tests in silence:
 * therefore a test that is skipped, with the reason, stands for those.
 */
export function meterVectors(folder: string, kinds: readonly string[]): readonly MeterVector[] {
  const own = vectorsBelow(join(OWN_VECTORS, folder), kinds);
  if (withoutVectors !== false) {
    test(`outside vectors of ${kinds.join(', ')}`, { skip: withoutVectors });
    return own;
  }
  const outside = vectorsBelow(join(VECTORS, folder), kinds);
  const lost = kinds.filter((kind) => outside.every((vector) => vector.kind !== kind));
  assert.deepEqual(lost, [], `${folder} has vectors of every kind asked for`);
  return [...outside, ...own];
}

function vectorsBelow(folder: string, kinds: readonly string[]): readonly MeterVector[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as MeterVector)
    .filter((vector) => kinds.includes(vector.kind));
}
