import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MECHANISM, decodeAarq } from '#protocol/dlms/acse.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { conformanceFrom } from '#protocol/dlms/conformance.ts';
import { decodeInitiateRequest } from '#protocol/dlms/initiate.ts';
import { WrapperLink } from '#protocol/wrapper/link.ts';
import { securedSession } from '../support/recorded-security.ts';
import { replayServer } from '../support/replayed-server.ts';
import type { Session } from '../support/sessions.ts';
import { session, sessions } from '../support/sessions.ts';

const WRAPPED_IN_CLEAR = ['c-ln-wrap-none', 'gx-jdlms-none'];

for (const recorded of sessions().filter(({ id }) => WRAPPED_IN_CLEAR.includes(id))) {
  test(`${recorded.id}: the client gets through, octet for octet as the recorded one`, () => {
    const { associated, answered, refused } = replayServer({
      frames: recorded.frames,
      inClear: (frame) => frame.subarray(8),
      clientFor: (aarq) => clientLike(recorded, aarq),
    });
    assert.equal(associated, 1);
    assert.ok(answered > 10, `${answered} answers`);
    assert.deepEqual(refused, []);
  });
}

function clientLike({ frames }: Session, apdu: Uint8Array | undefined): DlmsClient {
  assert.ok(apdu);
  const { userInformation } = decodeAarq(apdu);
  assert.ok(userInformation);
  const { proposedConformance, clientMaxReceivePduSize } = decodeInitiateRequest(userInformation);
  assert.ok(frames.length > 0);
  return new DlmsClient({
    link: new WrapperLink({ client: 16, server: 1 }),
    referencing: 'LN',
    authenticator: { mechanismName: MECHANISM.lowest },
    proposedConformance: conformanceFrom(proposedConformance),
    clientMaxReceivePduSize,
    invokeIdOf: () => 0xc1,
    blockWindow: 1,
    releaseWithInitiate: true,
  });
}

const SECURED: readonly (readonly [id: string, associations: number])[] = [
  ['c-ln-wrap-gmac', 1],
  ['c-ln-wrap-preestablished', 1],
  ['j-hls7-ecdsa-1', 1],
  ['j-hls7-ecdsa-2', 1],
  ['j-ln-wrap-ded-high', 2],
  ['j-ln-wrap-glo-high', 2],
  ['j-ln-wrap-gmac-plain', 1],
  ['j-ln-wrap-md5', 1],
  ['j-ln-wrap-sha256', 1],
];

for (const [id, associations] of SECURED) {
  const recorded = session(id);
  if (recorded === undefined) continue;
  test(`${id}: the client proves itself and ciphers, octet for octet as the recorded one`, () => {
    const { associated, answered, refused } = replayServer(securedSession(recorded));
    assert.equal(associated, associations);
    assert.ok(answered > 0, `${answered} answers`);
    assert.deepEqual(refused, []);
  });
}
