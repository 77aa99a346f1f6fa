import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replayed } from '../support/recorded-client.ts';
import { replayClient } from '../support/replayed-client.ts';
import { replayServer } from '../support/replayed-server.ts';
import type { Session } from '../support/sessions.ts';
import { ownSessions, sessions } from '../support/sessions.ts';

interface Expected {
  /** What our client gets out of the recorded server. */
  readonly associated: number;
  readonly answered: number;
  readonly refused?: readonly string[];
  /** What it says next where the recording ends in the middle of an answer. */
  readonly ahead?: number;
  /** The recorded clients ask one thing by ACCESS, or by a list of one; ours by GET. */
  readonly leftOut?: number;
  /**
   * Frames of our server up to where the recorded client asks for something that the recording has
   * no whole answer to, which our server then cannot know; all of them unless given.
   */
  readonly alike?: number;
  /** What is said in the place of frames that the recorded side got wrong. */
  readonly instead?: Readonly<Record<string, string>>;
}

/** The BER length is too short for what the recorded sides say when they take leave. */
const RELEASE_REQUEST = {
  '7EA0130323544131E6E60062010203800100C2177E': '7EA0110323543708E6E6006203800100BD9B7E',
};
const RELEASE_RESPONSE = {
  '00010001001000176311800100BE0F040E0800065F1F040000001004000007': '00010001001000056303800100',
};
/** A clock is told twice, the second time behind the end of the APDU. */
const CLOCK_TWICE = {
  ['7EA0302103980F02E6E700C401C100090C07EA0B150601153700000000090F090C07EA0B150601153700' +
  '000000090F41127E']: '7EA01E2103981E23E6E700C401C100090C07EA0B15060115370000000011087E',
  ['7EA0302103746D2FE6E700C401C100090C07EA0B150601172B00000000090F090C07EA0B150601172B00' +
  '000000090FE72E7E']: '7EA01E2103747C0EE6E700C401C100090C07EA0B150601172B0000000037C37E',
};
/** A protocol version, a conformance that was not proposed, and no name of the mechanism. */
const JDLMS_AARE = {
  ['000100010010002F612D80020780A109060760857405080101A203020100A305A103020100BE10040E08' +
  '00065F1F040018123DFFFF0007']:
    '000100010010002B6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F' +
    '040000121DFFFF0007',
  ['0001000100010062616080020780A109060760857405080103A203020100A305A103020100A40A040849' +
  '5345000000270FAA12801072AAD63DF5D88C055BF002444D3FA08BBE230421281F3000000002979A819F' +
  '7DA38D6DD0D02EC09DC9D882414FB8AA49205E119752']:
    '000100010001006B6169A109060760857405080103A203020100A305A10302010EA40A04084953450000' +
    '00270F88020780890760857405080205AA12801072AAD63DF5D88C055BF002444D3FA08BBE230421281F' +
    '3000000002979A819F7DA38D75D0F02EC09DC9D79A3DB11367694E61F865EF',
};

const EXPECTED: Readonly<Record<string, Expected>> = {
  'c-ln-hdlc-none': { associated: 1, answered: 93, instead: CLOCK_TWICE },
  // The next three end before the list of objects is whole.
  'c-ln-hdlc-low': { associated: 1, answered: 0, ahead: 1, alike: 2 },
  'c-ln-hdlc-high': { associated: 1, answered: 0, ahead: 1, alike: 3 },
  'py-c-hdlc-none': { associated: 1, answered: 2, ahead: 1, alike: 4, instead: CLOCK_TWICE },
  'j-ln-hdlc-low': { associated: 1, answered: 6, ahead: 1 },
  // Ends in the middle of a profile.
  'j-sn-hdlc-none': { associated: 1, answered: 127, ahead: 1, alike: 136 },
  // That server has short names and answers no READ.
  'c-sn-hdlc-low': {
    associated: 1,
    answered: 0,
    refused: ['service-refused'],
    alike: 2,
    instead: RELEASE_REQUEST,
  },
  'c-ln-wrap-none': { associated: 1, answered: 35 },
  'c-ln-wrap-gmac': { associated: 1, answered: 31 },
  'c-ln-wrap-preestablished': { associated: 1, answered: 12 },
  'gx-jdlms-none': { associated: 1, answered: 18, leftOut: 1, instead: JDLMS_AARE },
  'j-hls7-ecdsa-1': { associated: 1, answered: 1 },
  'j-hls7-ecdsa-2': { associated: 1, answered: 1 },
  'j-ln-wrap-ded-high': { associated: 2, answered: 49, leftOut: 1, instead: RELEASE_RESPONSE },
  'j-ln-wrap-glo-high': { associated: 2, answered: 49, leftOut: 1, instead: RELEASE_RESPONSE },
  'j-ln-wrap-gmac-plain': { associated: 1, answered: 21, leftOut: 1 },
  'j-ln-wrap-md5': { associated: 1, answered: 21, leftOut: 1 },
  'j-ln-wrap-sha256': { associated: 1, answered: 21, leftOut: 1 },
  // The client answers 17 of 57 blocks, the first of them as recorded; then it is silent.
  'j-gbt-window3-storm': {
    associated: 1,
    answered: 0,
    refused: ['endless-blocks'],
    ahead: 16,
    alike: 2,
  },
  // Only an AARQ and its answer were recorded; the client goes on to prove itself.
  'py-jdlms-gmac': { associated: 0, answered: 0, ahead: 1, instead: JDLMS_AARE },
};

function expectedOf({ id }: Session): Expected {
  const expected = EXPECTED[id];
  assert.ok(expected, 'a session of which nothing is expected');
  return expected;
}

for (const recorded of sessions()) {
  test(`${recorded.id}: our client says what the recorded one said, octet for octet`, () => {
    const { instead = {}, refused = [], ahead = 0, leftOut = 0, ...counts } = expectedOf(recorded);
    const seen = replayServer({ ...replayed(recorded), instead });
    assert.equal(seen.associated, counts.associated);
    assert.equal(seen.answered, counts.answered);
    assert.deepEqual(seen.refused, refused);
    assert.equal(seen.ahead.length, ahead);
    assert.equal(seen.leftOut, leftOut);
  });

  test(`${recorded.id}: our server says what the recorded one said, octet for octet`, () => {
    const { instead = {}, alike } = expectedOf(recorded);
    const seen = replayClient(recorded, { instead, shown: withoutStreaming });
    assert.equal(seen.alike, alike ?? seen.recorded);
    assert.deepEqual(seen.refused, []);
  });
}

const OURS = 'client: normd';

for (const recorded of ownSessions()) {
  const { id, who } = recorded;
  if (who.startsWith(OURS)) {
    test(`${id}: our client says again what got it through`, () => {
      const { associated, answered, ahead, leftOut } = replayServer(replayed(recorded));
      assert.equal(associated, 1);
      assert.ok(answered > 5, `${answered} answers`);
      assert.deepEqual({ ahead: ahead.length, leftOut }, { ahead: 0, leftOut: 0 });
    });
  } else {
    test(`${id}: our server says again what got the other client through`, () => {
      const {
        alike,
        recorded: said,
        refused,
      } = replayClient(recorded, {
        instead: {},
        shown: (hex) => hex,
      });
      assert.equal(alike, said);
      assert.deepEqual(refused, []);
    });
  }
}

/** Gurux marks its second general block as one of a stream, and waits after it all the same. */
function withoutStreaming(hex: string): string {
  return hex.replace(/^(.{16}E0)4(.)/, '$10$2');
}
