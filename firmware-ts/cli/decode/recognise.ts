import type { Adapter, DecodeContext } from './adapter.ts';
import { C37118_ADAPTER } from './c37118.ts';
import { DLMS_ADAPTERS } from './dlms.ts';
import type { DecodedLine } from './line.ts';
import { P1_ADAPTER } from './p1.ts';
import { READOUT_ADAPTER } from './readout.ts';
import { SENML_ADAPTER } from './senml.ts';
import { SESSION_ADAPTER } from './session.ts';

/** Everything that can be decoded; of equals the first is taken. */
export const ADAPTERS: readonly Adapter[] = [
  P1_ADAPTER,
  READOUT_ADAPTER,
  C37118_ADAPTER,
  ...DLMS_ADAPTERS,
  SESSION_ADAPTER,
  SENML_ADAPTER,
];

/** So much of a stream is tried; the longest frame of any protocol has 64 KiB. */
const TRIAL_BYTES_MAX = 128 * 1024;
/** Somebody waits: what gives so many lines has been tried enough. */
const TRIAL_LINES_MAX = 1000;

/**
 * What a stream is: the adapter that understands most of its bytes; if none understands any, the
 * first that it begins like, so that its errors can be told.
 */
export function recognise(
  chunks: readonly Uint8Array[],
  context: DecodeContext,
): Adapter | undefined {
  const trial = firstBytes(chunks);
  const candidates = ADAPTERS.map((adapter) => ({
    adapter,
    likeness: adapter.looksLike(Buffer.concat(trial)),
  })).filter(({ likeness }) => likeness !== 'no');
  const [best] = candidates
    .map(({ adapter }) => ({ adapter, understood: understoodBytes(adapter, trial, context) }))
    .sort((a, b) => b.understood - a.understood);
  if (best !== undefined && best.understood > 0) return best.adapter;
  return candidates.find(({ likeness }) => likeness === 'begins')?.adapter;
}

function understoodBytes(
  adapter: Adapter,
  chunks: readonly Uint8Array[],
  context: DecodeContext,
): number {
  let understood = 0;
  let lines = 0;
  for (const line of adapter.decode(chunks, context)) {
    understood += line.length * shareUnderstood(line);
    lines += 1;
    if (lines === TRIAL_LINES_MAX) break;
  }
  return understood;
}

function shareUnderstood({ ok, readings = [], error }: DecodedLine): number {
  if (ok) return 1;
  // A telegram with a wrong check is still a telegram.
  if (readings.length > 0) return 1 / 2;
  // Only the authentication key is wrong: what was deciphered is what it was taken for.
  return error?.code === 'wrong-authentication-key' ? 1 / 4 : 0;
}

function firstBytes(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  const first: Uint8Array[] = [];
  let length = 0;
  for (const chunk of chunks) {
    if (length >= TRIAL_BYTES_MAX) break;
    first.push(chunk.subarray(0, TRIAL_BYTES_MAX - length));
    length += chunk.length;
  }
  return first;
}
