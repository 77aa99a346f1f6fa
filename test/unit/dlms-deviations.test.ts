import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromHex, toHex } from '#bytes/hex.ts';
import type { Step } from '#protocol/connection.ts';
import type { DlmsClientMessage } from '#protocol/dlms/client/client-options.ts';
import { decodeDataNotification } from '#protocol/dlms/data-notification.ts';
import { encodeGeneralBlock } from '#protocol/dlms/general-block-transfer.ts';
import { encodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged, hdlcFramer } from '#protocol/hdlc/framer.ts';
import { encodeWrapperPdu } from '#protocol/wrapper/wrapper.ts';
import { attribute, codesOf, pair } from '../support/dlms-pair.ts';

/**
 * What meters were seen to do otherwise than the standard has it, each with a test by its name.
 * Those of which the test is elsewhere:
 */
const ELSEWHERE: readonly (readonly [fact: string, file: string, title: string])[] = [
  [
    'escape-stuffed frames',
    'property/dlms-push',
    'every HDLC frame comes back the same, plain, stuffed and in pieces',
  ],
  [
    'wrong FCS',
    'unit/hdlc-link',
    'an answer damaged on its way is asked for again after a short silence',
  ],
  [
    'LLC twice before an AARE',
    'unit/hdlc-link',
    'an LLC header sent twice, or none, is no part of the APDU',
  ],
  [
    'AARE with 80 02 07 80',
    'vectors/dlms-association',
    'a protocol version in the answer is read and kept',
  ],
  [
    'RLRE with a BER length too short',
    'vectors/dlms-association',
    'a release whose lengths are too short still releases, and says what is wrong',
  ],
  [
    'UA with parameters as answer to DISC',
    'unit/hdlc-link',
    'leave is taken with DISC, which UA, UA with parameters, DM and silence all answer',
  ],
  [
    'endless identical GBT blocks',
    'unit/dlms-client',
    'a meter that repeats its blocks without end is noticed',
  ],
  [
    'security control with a suite nibble',
    'unit/dlms-protection',
    'a security control that names another suite is opened by the keys there are',
  ],
  [
    'segmented pushes cut after the first frame by naive readers',
    'vectors/dlms-framing',
    'the segmented push of the Iskra meter, completed from its decoded form, is read',
  ],
  [
    'optical probes that echo',
    'unit/sign-on',
    'an optical head that echoes is noticed at the first exchange, in every chunk size',
  ],
  [
    'a wrong key shown as "no data"',
    'unit/dlms-protection',
    'each thing that can be wrong with a ciphered answer has a code of its own',
  ],
  [
    'invocation counters out of step',
    'unit/dlms-protection',
    'what a refused counter should have been is kept, and brought into step once',
  ],
  [
    'published authentication keys that are wrong',
    'unit/dlms-protection',
    'the policy decides what is taken unproven, and it is always marked',
  ],
];

for (const [fact, file, title] of ELSEWHERE) {
  test(`${fact}: see ${file}`, () => {
    const text = readFileSync(join(import.meta.dirname, '..', `${file}.test.ts`), 'utf8');
    assert.ok(text.includes(title), title);
  });
}

const FLAG = 0x7e;

test('7E inside payload or FCS ends no frame: about one in 130 has one in its FCS', () => {
  let flags = 0;
  for (let number = 0; number < 1000; number += 1) {
    const information = Uint8Array.of(FLAG, number >> 8, number & 0xff, FLAG);
    const inside = encodeHdlcFrame({
      segmented: false,
      destination: { upper: 16, length: 1 },
      source: { upper: 1, length: 1 },
      control: { kind: 'I', send: 0, receive: 0, poll: true },
      information,
    });
    if (inside.subarray(-2).includes(FLAG)) flags += 1;
    const framer = hdlcFramer();
    const events = Array.from(flagged(inside)).flatMap((byte) => framer.push(Uint8Array.of(byte)));
    const [event] = events;
    assert.ok(events.length === 1 && event?.kind === 'frame', toHex(inside));
    assert.deepEqual(event.frame.information, information);
  }
  assert.ok(flags > 2, `${flags} of 1000`);
});

const DATE_TIME = '07e90b15060c1e0000ffc400';

test('a date-time with tag 09 0C in a notification is read, and marked', () => {
  const { dateTime, dateTimeTagged, body } = decodeDataNotification(
    fromHex(`0f00000001090c${DATE_TIME}0600000007`),
  );
  assert.equal(toHex(dateTime ?? new Uint8Array()), DATE_TIME);
  assert.equal(dateTimeTagged, true);
  assert.deepEqual(body, { type: 'double-long-unsigned', value: 7 });
});

test('an OBIS as tag 06 in a notification is a logical name, and a number of it stays one', () => {
  const named = decodeDataNotification(
    fromHex('0f00000001000204060100010800ff0600000007060100020800ff0600000009'),
  );
  assert.ok(named.body.type === 'structure');
  assert.deepEqual(
    named.body.value.map(({ value }) => (value instanceof Uint8Array ? toHex(value) : value)),
    ['0100010800ff', 7, '0100020800ff', 9],
  );
  const numbers = decodeDataNotification(fromHex('0f0000000100020206010001080600ff0000'));
  assert.ok(numbers.body.type === 'structure');
  assert.deepEqual(numbers.body.value, [
    { type: 'double-long-unsigned', value: 0x0100_0108 },
    { type: 'double-long-unsigned', value: 0x00ff_0000 },
  ]);
});

/** A client that has asked, at 2 ms. */
function asking() {
  const { client, open } = pair({ blockWindow: 3, invokeIdOf: () => 0x41, answerTimeoutMs: 5000 });
  open();
  client.ask({ kind: 'get', attributes: [attribute(2)] }, 2);
  const arrives = (apdu: Uint8Array, at: number): readonly DlmsClientMessage[] => {
    const pdu = encodeWrapperPdu({ source: 1, destination: 16, apdu });
    return messagesOf(client.receive(pdu, at));
  };
  return { client, arrives };
}

function messagesOf({ events }: Step<DlmsClientMessage>): readonly DlmsClientMessage[] {
  return events.flatMap((event) => (event.kind === 'message' ? [event.message] : []));
}

test('GBT blocks interleaved with notifications and 3 s apart are one answer', () => {
  const { client, arrives } = asking();
  const answer = fromHex('c401410009050102030405');
  const told: DlmsClientMessage[] = [];
  for (const [index, end] of [4, 7, 11].entries()) {
    const at = 3000 * (index + 1);
    assert.ok(client.deadline > at, `still waiting at ${at}`);
    const block = encodeGeneralBlock({
      lastBlock: index === 2,
      streaming: index < 2,
      window: 1,
      blockNumber: index + 1,
      blockNumberAck: 0,
      blockData: answer.subarray(index === 0 ? 0 : index === 1 ? 4 : 7, end),
    });
    told.push(...arrives(block, at));
    if (index < 2) told.push(...arrives(fromHex('0f000000010011ff'), at + 1));
  }
  assert.deepEqual(codesOf(told), ['notified', 'notified', 'answered']);
});

test('a reply one byte short fails with its code, and the next is taken', () => {
  const { client, arrives } = asking();
  assert.deepEqual(codesOf(arrives(fromHex('c401410006000000'), 3)), ['asking: truncated']);
  client.ask({ kind: 'get', attributes: [attribute(2)] }, 4);
  assert.deepEqual(codesOf(arrives(fromHex('c40141000600000007'), 5)), ['answered']);
});
