import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { advance, chainStart } from '#contract/chain.ts';
import type { StreamStanding } from '#store/store.ts';
import { formOf } from './content.ts';
import type { Obligations } from './obligations.ts';
import { EPOCH_OF_VERSION_1 } from './version-1.ts';

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

/** By the chain before, sequence and number: states have most of their chains in common. */
const known = new Map<string, Uint8Array>();

/**
 * What a manifest would say after a crash agrees with what was given out before: all that it
 * calls delivered was, each under its number, and what the broker was known to have stays so.
 */
export function checkStandings(
  backend: string,
  streams: readonly StreamStanding[],
  obligations: Obligations,
): void {
  for (const standing of streams) checkStanding(backend, standing, obligations);
}

function checkStanding(backend: string, standing: StreamStanding, obligations: Obligations): void {
  const { stream, epoch, through, next, chain } = standing;
  const key = `${backend} ${stream} ${epoch}`;
  assert.ok(through < next, `${key}: through ${through} is beyond ${next}`);
  for (let sequence = 0; sequence < next; sequence += 1) {
    const named = !obligations.named.has(`${key} ${sequence}`) || isNamed(standing, sequence);
    assert.ok(named, `${key} ${sequence} was refused, and is not named`);
  }
  let expected = chainStart();
  for (let sequence = 0; sequence <= through; sequence += 1) {
    if (isNamed(standing, sequence)) continue;
    const number = obligations.seen.get(`${key} ${sequence}`);
    const asked = number !== undefined && obligations.mayBeGone.has(`${backend} ${number}`);
    assert.ok(asked, `${key} ${sequence} is called delivered, and was not`);
    expected = chainAfter(expected, sequence, number);
  }
  const after = obligations.seen.get(`${key} ${through + 1}`);
  const has = after !== undefined && obligations.gone.has(`${backend} ${after}`);
  assert.ok(!has, `${key} ${through + 1} was delivered, and is not called so`);
  if (chain !== undefined) assert.deepEqual(Buffer.from(chain), Buffer.from(expected), key);
  else assert.ok(obligations.damaged || epoch === EPOCH_OF_VERSION_1, `${key}: the chain is lost`);
}

function isNamed({ gaps }: StreamStanding, sequence: number): boolean {
  return gaps.some(({ first, last }) => first <= sequence && sequence <= last);
}

function chainAfter(before: Uint8Array, sequence: number, number: number): Uint8Array {
  const key = `${Buffer.from(before).toString('latin1')} ${sequence} ${number}`;
  const after = known.get(key) ?? advance(sha256, before, sequence, formOf(number));
  known.set(key, after);
  return after;
}
