import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { toHex } from '#bytes/hex.ts';
import { advance, chainStart } from '#contract/chain.ts';
import { type Gap, type Manifest, encodeManifest } from '#contract/manifest.ts';
import { formsOfRecords } from '#contract/records.ts';
import { Verifier, type VerifierOptions } from '#contract/verify.ts';
import type { Observation } from '#reading/reading.ts';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { machineZstd } from '#system/zstd.ts';
import { anyObservation } from './observations.ts';

export const sha256 = (bytes: Uint8Array): Uint8Array =>
  createHash('sha256').update(bytes).digest();

/** A message on its way to a back-end. */
export interface Sent {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Numbers of the observations in it; none in a manifest. */
  readonly numbers: readonly number[];
}

export const STREAM = { gateway: 'gw-1', stream: 'meter1', epoch: 1_800_000_000 };
const AT = '2026-11-21T12:00:00Z';

/** What becomes of one number: sent, or dropped and named as a gap, though perhaps sent before. */
export type Fate = 'sent' | 'gap' | 'sent-then-gap';

export interface Life {
  readonly observations: readonly Observation[];
  readonly fates: readonly Fate[];
  /** A pack ends before these numbers, and a manifest follows. */
  readonly cuts: readonly boolean[];
  readonly manifests: readonly boolean[];
}

const LENGTH_MAX = 12;
const flags = fc.array(fc.boolean(), { minLength: LENGTH_MAX, maxLength: LENGTH_MAX });

/** Up to twelve observations of one stream, in any packs, with any gaps and manifests. */
export const anyLife: fc.Arbitrary<Life> = fc.record({
  observations: fc.array(anyObservation, { minLength: 1, maxLength: LENGTH_MAX }),
  fates: fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constant<Fate>('sent') },
      fc.constantFrom<Fate>('gap', 'sent-then-gap'),
    ),
    { minLength: LENGTH_MAX, maxLength: LENGTH_MAX },
  ),
  cuts: flags,
  manifests: flags,
});

/** What a gateway of this life sends on `up` and `mf`, the last manifest after all. */
export function sentIn({ observations, fates, cuts, manifests }: Life): readonly Sent[] {
  const sent: Sent[] = [];
  const gaps: Gap[] = [];
  let chain = chainStart();
  let number = 0;
  let pack: number[] = [];
  const endPack = (): void => {
    if (pack.length > 0) sent.push(packOf(observations, pack));
    pack = [];
  };
  for (const [at, observation] of observations.entries()) {
    const fate = fates[at] ?? 'sent';
    if (fate === 'gap' || cuts[at] === true) endPack();
    if (fate !== 'gap') pack.push(at);
    if (fate === 'sent') {
      const [form = new Uint8Array()] = formsOfRecords(encodeRecords(observation).records);
      chain = advance(sha256, chain, at, form);
    } else name(gaps, at);
    if (manifests[at] !== true && at + 1 < observations.length) continue;
    endPack();
    sent.push(manifestOf(number, at, chain, gaps));
    number += 1;
  }
  return sent;
}

/** As the store does: what follows a gap makes it longer. */
function name(gaps: Gap[], at: number): void {
  const last = gaps.at(-1);
  if (last?.through === at - 1) gaps.splice(-1, 1, { ...last, through: at });
  else gaps.push({ from: at, through: at, reason: 'age', at: AT });
}

export function packOf(observations: readonly Observation[], numbers: readonly number[]): Sent {
  const [sequence = 0] = numbers;
  const entries = numbers.flatMap((at) => observations[at] ?? []).map(encodeRecords);
  const payload = encodePack({ ...STREAM, sequence, count: numbers.length }, entries);
  return { topic: `nd/1/${STREAM.gateway}/up/${STREAM.stream}`, payload, numbers };
}

function manifestOf(number: number, through: number, chain: Uint8Array, gaps: readonly Gap[]) {
  const { gateway, stream, epoch } = STREAM;
  const state = { stream, class: 'measurement', epoch, through, chain: toHex(chain) } as const;
  const streams = [{ ...state, next: through + 1, gaps: [...gaps] }];
  const manifest: Manifest = { version: 1, gateway, at: AT, number, streams };
  const payload = Buffer.from(encodeManifest(manifest));
  return { topic: `nd/1/${gateway}/mf`, payload, numbers: [] };
}

/** A verifier that has taken these messages, in this order. */
export function verified(
  messages: readonly Pick<Sent, 'topic' | 'payload'>[],
  options: Pick<VerifierOptions, 'since'> = {},
): Verifier {
  const verifier = new Verifier({ sha256, compression: machineZstd, ...options });
  for (const { topic, payload } of messages) verifier.take(topic, payload);
  return verifier;
}
