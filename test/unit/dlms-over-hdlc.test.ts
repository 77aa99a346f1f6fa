import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import type { Step } from '#protocol/connection.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import type { ApduLinkMessage } from '#protocol/dlms/apdu-link.ts';
import type { DlmsClientMessage } from '#protocol/dlms/client/client-options.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { encodeGeneralBlock } from '#protocol/dlms/general-block-transfer.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';

const CLIENT = { upper: 16, length: 1 } as const;
const SERVER = { upper: 1, length: 1 } as const;
/** Less than the client waits for an answer at all: what takes longer has hung. */
const HUNG_MS = 30_000;

/** What a client tells of a GET that a meter, which speaks only when polled, answers so. */
function toldOf(answers: readonly Uint8Array[]): readonly DlmsClientMessage[] {
  const meter = new HdlcServerLink({ server: SERVER });
  const client = new DlmsClient({
    link: new HdlcClientLink({ client: CLIENT, server: SERVER }),
    referencing: 'LN',
    authenticator: { mechanismName: MECHANISM.lowest },
    preEstablished: {
      referencing: 'LN',
      vaaName: 0x0007,
      conformance: new Set(['get', 'generalBlockTransfer']),
      serverMaxReceivePduSize: 0,
    },
    invokeIdOf: () => 0x41,
  });
  const told: DlmsClientMessage[] = [];
  let now = 0;
  const fromMeter = ({ send, events }: Step<ApduLinkMessage>): void => {
    for (const bytes of send) fromClient(client.receive(bytes, now));
    for (const event of events) {
      if (event.kind !== 'message' || event.message.kind !== 'apdu') continue;
      if (event.message.bytes[0] !== 0xc0) continue;
      for (const answer of answers) fromMeter(meter.send(answer));
    }
  };
  const fromClient = ({ send, events }: Step<DlmsClientMessage>): void => {
    for (const event of events) {
      assert.ok(event.kind === 'message', JSON.stringify(event));
      told.push(event.message);
      if (event.message.kind !== 'associated') continue;
      const attribute = { classId: 1, instanceId: obisFrom('0-0:96.1.0*255'), attributeId: 2 };
      fromClient(client.ask({ kind: 'get', attributes: [attribute] }, now));
    }
    for (const bytes of send) fromMeter(meter.receive(bytes, now));
  };
  meter.start(now);
  fromClient(client.start(now));
  while (!told.some(({ kind }) => kind === 'answered')) {
    const wait = Math.min(client.deadline, meter.deadline);
    if (wait > HUNG_MS) break;
    now = Math.max(now, wait);
    fromMeter(meter.expire(now));
    fromClient(client.expire(now));
  }
  return told;
}

const ANSWER = fromHex('c401410009050102030405');
const ANSWERED = ['associated', 'answered'];

function kindsOf(told: readonly DlmsClientMessage[]): readonly string[] {
  return told.map(({ kind }) => kind);
}

test('a meter that streams its blocks is polled for each of them', () => {
  const parts = [ANSWER.subarray(0, 4), ANSWER.subarray(4, 8), ANSWER.subarray(8)];
  const blocks = parts.map((blockData, index) =>
    encodeGeneralBlock({
      lastBlock: index === parts.length - 1,
      streaming: index < parts.length - 1,
      window: 1,
      blockNumber: index + 1,
      blockNumberAck: 0,
      blockData,
    }),
  );
  assert.deepEqual(kindsOf(toldOf(blocks)), ANSWERED);
});

test('after an answer that came too late the meter is polled for the right one', () => {
  const late = fromHex('c401400011ff');
  assert.deepEqual(kindsOf(toldOf([late, ANSWER])), ANSWERED);
});

test('after a notification the meter is polled for the answer', () => {
  const notification = fromHex('0f000000010011ff');
  assert.deepEqual(kindsOf(toldOf([notification, ANSWER])), ['associated', 'notified', 'answered']);
});
