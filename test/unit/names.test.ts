import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { failureOf } from '#bytes/failure.ts';
import { parseConfiguration } from '#config/load.ts';
import { topicsOf } from '#uplink/topics.ts';

test('a name is good for the configuration exactly if it is good for a topic', () => {
  const characters = fc.constantFrom('a', 'Z', '0', '-', '_', '/', '+', '#', '.', 'é', '\n');
  const name = fc.array(characters, { maxLength: 4 }).map((parts) => parts.join(''));
  const lengths = fc.constantFrom(63, 64, 65).map((length) => 'n'.repeat(length));
  fc.assert(
    fc.property(fc.oneof(name, lengths), (gateway) => {
      const loaded = parseConfiguration(`gateway: ${JSON.stringify(gateway)}`, 'normd.yaml');
      const problems = 'problems' in loaded ? loaded.problems : [];
      const refused = problems.some(({ path }) => path === 'gateway');
      assert.equal(refused, !isTopicName(gateway), gateway);
    }),
  );
});

function isTopicName(name: string): boolean {
  try {
    topicsOf('gw').up(name);
    return true;
  } catch (error) {
    assert.equal(failureOf(error).code, 'bad-name');
    return false;
  }
}
