import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replayed } from '../support/recorded-client.ts';
import { replayServer } from '../support/replayed-server.ts';
import { sessions } from '../support/sessions.ts';

/** What our client gets out of the recorded server. */
interface Expected {
  readonly associated: number;
  readonly answered: number;
  readonly refused?: readonly string[];
  /** What it says next where the recording ends in the middle of an answer. */
  readonly ahead?: number;
  /** The recorded clients ask one thing by ACCESS, or by a list of one; ours by GET. */
  readonly leftOut?: number;
  readonly instead?: Readonly<Record<string, string>>;
}

const FALSE_RELEASE = '7EA0130323544131E6E60062010203800100C2177E';
const TRUE_RELEASE = '7EA023032354B37DE6E6006215800100BE10040E01000000065F1F0400401E1DFFFFB68D7E';

const EXPECTED: Readonly<Record<string, Expected>> = {
  'c-ln-hdlc-none': { associated: 1, answered: 93 },
  // The next three end before the list of objects is whole.
  'c-ln-hdlc-low': { associated: 1, answered: 0, ahead: 1 },
  'c-ln-hdlc-high': { associated: 1, answered: 0, ahead: 1 },
  'py-c-hdlc-none': { associated: 1, answered: 2, ahead: 1 },
  'j-ln-hdlc-low': { associated: 1, answered: 6, ahead: 1 },
  'j-sn-hdlc-none': { associated: 1, answered: 127, ahead: 1 },
  'c-sn-hdlc-low': {
    associated: 1,
    answered: 0,
    refused: ['service-refused'],
    // The BER length of the recorded RLRQ is too short.
    instead: { [FALSE_RELEASE]: TRUE_RELEASE },
  },
  'c-ln-wrap-none': { associated: 1, answered: 35 },
  'c-ln-wrap-gmac': { associated: 1, answered: 31 },
  'c-ln-wrap-preestablished': { associated: 1, answered: 12 },
  'gx-jdlms-none': { associated: 1, answered: 18, leftOut: 1 },
  'j-hls7-ecdsa-1': { associated: 1, answered: 1 },
  'j-hls7-ecdsa-2': { associated: 1, answered: 1 },
  'j-ln-wrap-ded-high': { associated: 2, answered: 49, leftOut: 1 },
  'j-ln-wrap-glo-high': { associated: 2, answered: 49, leftOut: 1 },
  'j-ln-wrap-gmac-plain': { associated: 1, answered: 21, leftOut: 1 },
  'j-ln-wrap-md5': { associated: 1, answered: 21, leftOut: 1 },
  'j-ln-wrap-sha256': { associated: 1, answered: 21, leftOut: 1 },
  // 57 blocks, of which the client answers so many; then it gives up and is silent.
  'j-gbt-window3-storm': { associated: 1, answered: 0, refused: ['endless-blocks'], ahead: 16 },
  // Only an AARQ and its answer were recorded; the client goes on to prove itself.
  'py-jdlms-gmac': { associated: 0, answered: 0, ahead: 1 },
};

for (const recorded of sessions()) {
  test(`${recorded.id}: our client says what the recorded one said, octet for octet`, () => {
    const expected = EXPECTED[recorded.id];
    assert.ok(expected, 'a session without an expectation');
    const { instead = {}, refused = [], ahead = 0, leftOut = 0 } = expected;
    const seen = replayServer({ ...replayed(recorded), instead });
    const { associated, answered } = expected;
    assert.deepEqual(
      { ...seen, ahead: seen.ahead.length },
      { associated, answered, refused, ahead, leftOut },
    );
  });
}
