import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

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
}

/** Every vector below `folder` whose kind is one of `kinds`; none where the folder is missing. */
export function meterVectors(folder: string, kinds: readonly string[]): readonly MeterVector[] {
  if (withoutVectors !== false) return [];
  const root = join(VECTORS, folder);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => JSON.parse(readFileSync(join(root, file), 'utf8')) as MeterVector)
    .filter((vector) => kinds.includes(vector.kind));
}
