import assert from 'node:assert/strict';
import { numberOf, type Received } from './subscriber.ts';

/**
 * Sequences of one stream of `owe` as they came, each with the energy that its observation holds.
 * Fails where a new one does not follow the last, or a repeat says something else.
 */
export function energiesOf(
  packs: readonly Received[],
  stream: string,
  gateway = 'gw-1',
): ReadonlyMap<number, unknown> {
  const energies = new Map<number, unknown>();
  let last = -1;
  for (const pack of packs.filter(({ topic }) => topic === `nd/1/${gateway}/up/${stream}`)) {
    assert.equal(pack.baseName, `${gateway}/${stream}/`);
    assert.equal(pack.records.length, 2 * pack.count);
    for (let index = 0; index < pack.count; index += 1) {
      const sequence = pack.sequence + index;
      const [energy, voltage] = pack.records.slice(2 * index, 2 * index + 2);
      const first = !energies.has(sequence);
      assert.ok(!first || sequence === last + 1, `${sequence} after ${last}`);
      if (first) last = sequence;
      const value = energy?.get(2);
      assert.ok(first || value === energies.get(sequence), 'a repeat says the same');
      energies.set(sequence, value);
      assert.equal(energy?.get(0), '1-0:1.8.0.255');
      assert.equal(energy.get(1), 'Wh');
      assert.equal(numberOf(voltage?.get(2)), 230.1);
    }
  }
  return energies;
}

/** Every observation 0 … count − 1 of `stream` has come, in order, and counts itself. */
export function assertWhole(packs: readonly Received[], stream: string, count: number): void {
  const energies = Array.from(energiesOf(packs, stream), ([sequence, value]) => [
    sequence,
    numberOf(value),
  ]);
  assert.deepEqual(
    energies,
    Array.from({ length: count }, (_, number) => [number, number]),
  );
}
