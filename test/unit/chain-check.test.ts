import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChainCheck } from '#contract/chain-check.ts';
import { advanceAll, chainStart } from '#contract/chain.ts';
import { KeptRoom } from '#contract/kept-room.ts';
import { sha256 } from '../support/contract.ts';

const BIG = Array.from({ length: 24 }, (_, at) => new Uint8Array(1 << 20).fill(at + 1));

function checkOf(): ChainCheck {
  return new ChainCheck(sha256, () => true);
}

test('more than memory takes is hashed before its manifest comes, and proven all the same', () => {
  const check = checkOf();
  for (const [at, form] of BIG.entries()) {
    check.take(at, form);
    check.settle();
  }
  check.point(23, advanceAll(sha256, chainStart(), 0, BIG));
  check.settle();
  assert.deepEqual(check.verdict().proven.list, [[0, 23]]);
});

test('a gap named over what had been hashed leaves it unchecked; what follows is proven', () => {
  const check = checkOf();
  for (const [at, form] of BIG.entries()) {
    check.take(at, form);
    check.settle();
  }
  check.gap(1, 1);
  const chain = advanceAll(sha256, chainStart(), 0, BIG.with(1, new Uint8Array()));
  check.point(23, chain);
  check.take(24, Uint8Array.of(1));
  check.point(24, advanceAll(sha256, chain, 24, [Uint8Array.of(1)]));
  check.settle();
  const { proven, broken, unchecked } = check.verdict();
  assert.deepEqual([proven.list, broken.list, unchecked.list], [[[24, 24]], [], [[0, 23]]]);
});

test('what waits for a missing observation is let go when memory is full, the newest first', () => {
  const check = checkOf();
  const feed = (): void => {
    for (const [at, form] of BIG.entries()) {
      if (at > 0) check.take(at, form);
      check.settle();
    }
  };
  feed();
  check.take(0, BIG[0] ?? assert.fail());
  check.point(23, advanceAll(sha256, chainStart(), 0, BIG));
  check.settle();
  assert.equal(check.verdict().stopped?.reason, 'not-kept');
  feed(); // the ordered lane brings again what came live
  assert.deepEqual(check.verdict().proven.list, [[0, 23]]);
});

test('what all streams keep together is bounded, and what had no room may come again', () => {
  const room = new KeptRoom(2000);
  const [one, two] = [1, 2].map(() => new ChainCheck(sha256, () => true, room));
  assert.ok(one !== undefined && two !== undefined);
  const forms = [Uint8Array.of(1), new Uint8Array(1500)] as const;
  const end = advanceAll(sha256, chainStart(), 0, forms);
  for (const check of [one, two]) {
    check.take(1, forms[1]);
    check.settle();
  }
  assert.ok(!room.isFull);
  two.take(0, forms[0]);
  two.point(1, end);
  two.settle();
  assert.deepEqual(two.verdict().stopped, { at: 1, reason: 'not-kept' });
  one.take(0, forms[0]);
  one.point(1, end);
  one.settle();
  assert.deepEqual(one.verdict().proven.list, [[0, 1]]);
  two.take(1, forms[1]);
  two.settle();
  assert.deepEqual(two.verdict().proven.list, [[0, 1]]);
});

test('verdicts that alternate for ever are told in bounded memory, and never better', () => {
  const check = checkOf();
  const count = 25_000;
  const form = Uint8Array.of(1);
  let chain = chainStart();
  for (let at = 0; at < count; at += 1) {
    check.take(at, form);
    // Every second manifest is of another observation.
    chain = advanceAll(sha256, chain, at, [at % 2 === 0 ? form : new Uint8Array()]);
    check.point(at, chain);
    check.settle();
  }
  const { proven, broken, unchecked } = check.verdict();
  for (const { list } of [proven, broken, unchecked]) assert.ok(list.length <= 10_000);
  const wrong = Array.from({ length: count / 2 }, (_, half) => 2 * half + 1);
  assert.ok(wrong.every((at) => broken.has(at) && !proven.has(at)));
  assert.ok(wrong.every((at) => [proven, broken, unchecked].some((told) => told.has(at - 1))));
  assert.ok(proven.has(count - 2) && !broken.has(count - 2), 'the newest are told exactly');
});

test('manifests that contradict each other are told in bounded memory', () => {
  const check = checkOf();
  let chain = chainStart();
  for (let at = 0; at < 25_000; at += 1) {
    chain = advanceAll(sha256, chain, at, [Uint8Array.of(1)]);
    check.take(at, Uint8Array.of(1));
    check.point(at, chain);
    check.settle();
    if (at % 2 === 0) check.point(at, chainStart());
  }
  const { proven, broken } = check.verdict();
  assert.ok(broken.list.length <= 10_000 && broken.has(0) && broken.has(24_998));
  assert.deepEqual(proven.list, [[0, 24_999]]);
});
