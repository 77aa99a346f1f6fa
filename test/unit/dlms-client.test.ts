import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex } from '#bytes/hex.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { MECHANISM, decodeAare } from '#protocol/dlms/acse.ts';
import type { DlmsClientMessage, DlmsClientOptions } from '#protocol/dlms/client/client-options.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { associationRefused } from '#protocol/dlms/client/diagnostics.ts';
import type { Step } from '#protocol/connection.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { encodeGeneralBlock } from '#protocol/dlms/general-block-transfer.ts';
import { WrapperLink } from '#protocol/wrapper/link.ts';
import { encodeWrapperPdu } from '#protocol/wrapper/wrapper.ts';
import { ADDRESS, PASSWORD, answerOf, attribute, codesOf, pair } from '../support/dlms-pair.ts';

test('a client associates, is answered, and takes leave', () => {
  const { open, ask, release, stored } = pair();
  stored.set(2, { type: 'unsigned', value: 7 });
  assert.deepEqual(codesOf(open()), ['associated']);
  const answer = answerOf(ask({ kind: 'get', attributes: [attribute(2)] }));
  assert.deepEqual(answer, {
    kind: 'results',
    results: [{ kind: 'done', data: { type: 'unsigned', value: 7 } }],
  });
  assert.deepEqual(codesOf(release()), ['released']);
});

test('what is missing is refused in words, and the rest of a list is answered', () => {
  const { open, ask, stored } = pair();
  stored.set(2, { type: 'unsigned', value: 7 });
  open();
  const answer = answerOf(ask({ kind: 'get', attributes: [attribute(3), attribute(2)] }));
  assert.ok(answer.kind === 'results');
  const [missing, found] = answer.results;
  assert.ok(missing?.kind === 'refused');
  assert.equal(missing.failure.code, 'object-missing');
  assert.equal(found?.kind, 'done');
});

test('values of any size go both ways through blocks of any size', () => {
  const sizes = fc.record({
    value: fc.uint8Array({ maxLength: 700 }),
    clientMost: fc.integer({ min: 30, max: 900 }),
    serverMost: fc.integer({ min: 40, max: 900 }),
  });
  fc.assert(
    fc.property(sizes, ({ value, clientMost, serverMost }) => {
      const { open, ask } = pair(
        { clientMaxReceivePduSize: clientMost },
        { serverMaxReceivePduSize: serverMost },
      );
      open();
      const data: Data = { type: 'octet-string', value };
      const items = [{ attribute: attribute(2), data }];
      assert.deepEqual(answerOf(ask({ kind: 'set', items })), {
        kind: 'results',
        results: [{ kind: 'done' }],
      });
      const read = answerOf(ask({ kind: 'get', attributes: [attribute(2), attribute(2)] }));
      const done = { kind: 'done', data };
      assert.deepEqual(read, { kind: 'results', results: [done, done] });
      const method = { classId: 1, instanceId: obisFrom('0-0:96.1.0*255'), methodId: 1 };
      const acted = answerOf(ask({ kind: 'action', items: [{ method, parameters: data }] }));
      assert.deepEqual(acted, { kind: 'results', results: [done] });
    }),
  );
});

test('a value comes in pieces, each when it is asked for, and the rest can be given up', () => {
  const { open, ask, stored } = pair({ clientMaxReceivePduSize: 64 });
  const value = Uint8Array.from({ length: 300 }, (_, index) => index & 0xff);
  stored.set(2, { type: 'octet-string', value });
  open();
  const pieces: Uint8Array[] = [];
  let answer = answerOf(ask({ kind: 'get-pieces', attribute: attribute(2) }));
  while (answer.kind === 'piece') {
    pieces.push(answer.bytes);
    if (answer.last) break;
    answer = answerOf(ask({ kind: 'next-piece' }));
  }
  assert.equal(Buffer.concat(pieces).length, 304);
  assert.deepEqual(codesOf(ask({ kind: 'next-piece' })), ['asking: not-associated']);

  answerOf(ask({ kind: 'get-pieces', attribute: attribute(2) }));
  const other = answerOf(ask({ kind: 'get', attributes: [attribute(3)] }));
  assert.equal(other.kind, 'results');
});

test('a wrong password, another mechanism, another context: each is told apart', () => {
  const low = { mechanismName: MECHANISM.low, callingAuthenticationValue: PASSWORD };
  const server = { mechanismName: MECHANISM.low, secret: PASSWORD };
  assert.deepEqual(codesOf(pair({ authenticator: low }, server).open()), ['associated']);
  const wrong = { ...low, callingAuthenticationValue: Uint8Array.from(Buffer.from('gurux')) };
  const hints = [
    [pair({ authenticator: wrong }, server), /authentication-failure/],
    [pair({}, server), /authentication-required/],
    [pair({ authenticator: low }), /mechanism-name-not-recognised/],
    [pair({ referencing: 'SN' }), /application-context-name-not-supported/],
  ] as const;
  for (const [{ open }, word] of hints) {
    const [message] = open();
    assert.ok(message?.kind === 'failed');
    assert.equal(message.failure.code, 'association-refused');
    assert.match(message.failure.message, word);
  }
});

// Said by GuruxDLMS.c to a client of short names that proposed what it does not have.
test('a refusal without a reason is told by its initiate error', () => {
  const apdu = '611FA109060760857405080102A203020101A305A103020101BE0604040E010602';
  const { message } = associationRefused(decodeAare(fromHex(apdu)));
  assert.match(message, /no-reason-given, initiate: incompatible-conformance/);
});

test('without an association nothing is asked', () => {
  const { client } = pair();
  const { events, send } = client.ask({ kind: 'get', attributes: [attribute(2)] }, 0);
  assert.equal(send.length, 0);
  assert.ok(events[0]?.kind === 'message' && events[0].message.kind === 'failed');
});

test('who does not answer is given up, with the step at which it fell silent', () => {
  const client = new DlmsClient({
    link: new WrapperLink(ADDRESS),
    referencing: 'LN',
    authenticator: { mechanismName: MECHANISM.lowest },
    answerTimeoutMs: 1000,
  });
  client.start(0);
  assert.equal(client.deadline, 250, 'who answers nothing holds the line for a quarter');
  const [event] = client.expire(250).events;
  assert.ok(event?.kind === 'stalled');
  assert.equal(event.failure.code, 'no-answer');
  assert.match(event.failure.message, /associating/);
});

test('an answer that keeps coming is waited for, until silence or a bound', () => {
  const options = { answerTimeoutMs: 1000 };
  const asked = (): DlmsClient => {
    const { client, open } = pair(options);
    open();
    client.ask({ kind: 'get', attributes: [attribute(1)] }, 0);
    return client;
  };
  const client = asked();
  for (let at = 900; at < 5000; at += 900) {
    assert.deepEqual(client.expire(at).events, []);
    client.receive(Uint8Array.of(0), at); // a first octet of a unit, and more of it
  }
  assert.equal(client.expire(5500).events[0]?.kind, 'stalled');
  const patient = asked();
  let at = 0;
  while (patient.expire(at).events.every(({ kind }) => kind !== 'stalled')) {
    at += 900;
    assert.ok(at < 3_600_000, 'within an hour');
    patient.receive(Uint8Array.of(0), at);
  }
  assert.ok(at > 600_000);
});

/** A client that stands, and what a server's APDU makes of it. */
function standing(options: Partial<DlmsClientOptions> = {}): {
  readonly client: DlmsClient;
  readonly arrives: (apdu: Uint8Array) => Step<DlmsClientMessage>;
} {
  const { client, open } = pair(options);
  open();
  const arrives = (apdu: Uint8Array): Step<DlmsClientMessage> =>
    client.receive(encodeWrapperPdu({ source: 1, destination: 16, apdu }), 2);
  return { client, arrives };
}

test('what the meter says unasked is told, and an answer that came too late is passed over', () => {
  const { client, arrives } = standing({ invokeIdOf: () => 0x42 });
  client.ask({ kind: 'get', attributes: [attribute(2)] }, 2);
  assert.deepEqual(arrives(fromHex('c401410011ff')).events, []);
  const [notified] = arrives(fromHex('0f000000010011ff')).events;
  assert.ok(notified?.kind === 'message' && notified.message.kind === 'notified');
  const [answered] = arrives(fromHex('c40142001107')).events;
  assert.ok(answered?.kind === 'message' && answered.message.kind === 'answered');
});

test('blocks out of order, and exceptions, fail the request and leave the association', () => {
  const { client, arrives } = standing({ invokeIdOf: () => 0x41 });
  const answers = [
    ['c4024100000000050003090100', 'block-out-of-order'],
    ['d80206000004d2', 'counter-out-of-step'],
    ['d80205', 'wrong-key'],
    ['d80102', 'service-refused'],
    ['0e05050100', 'service-refused'],
    ['c40141', 'truncated'],
    ['c70141000000', 'unexpected-apdu'],
  ] as const;
  for (const [hex, code] of answers) {
    client.ask({ kind: 'get', attributes: [attribute(2)] }, 2);
    const { events } = arrives(fromHex(hex));
    const message = events[0]?.kind === 'message' ? events[0].message : undefined;
    assert.ok(message?.kind === 'failed', hex);
    assert.equal(message.failure.code, code);
  }
});

test('a meter that repeats its blocks without end is noticed', () => {
  const { client, arrives } = standing();
  client.ask({ kind: 'get', attributes: [attribute(2)] }, 2);
  const block = { lastBlock: false, streaming: false, window: 1, blockNumberAck: 0 };
  const blockData = fromHex('c401c100');
  const bytes = encodeGeneralBlock({ ...block, blockNumber: 1, blockData });
  const codes: string[] = [];
  for (let count = 0; count < 30; count += 1) {
    for (const event of arrives(bytes).events) {
      if (event.kind === 'message' && event.message.kind === 'failed') {
        codes.push(event.message.failure.code);
      }
    }
  }
  assert.equal(codes[0], 'endless-blocks');
});

test('a block that was lost in a stream is sent again, and the answer is whole', () => {
  const { client, arrives } = standing({ blockWindow: 3, invokeIdOf: () => 0x41 });
  client.ask({ kind: 'get', attributes: [attribute(2)] }, 2);
  const apdu = fromHex('c401410009050102030405');
  const parts = [apdu.subarray(0, 4), apdu.subarray(4, 8), apdu.subarray(8)];
  const block = (number: number, streaming: boolean): Uint8Array =>
    encodeGeneralBlock({
      lastBlock: number === 3,
      streaming,
      window: 1,
      blockNumber: number,
      blockNumberAck: 0,
      blockData: parts[number - 1] ?? new Uint8Array(),
    });
  assert.equal(arrives(block(1, true)).send.length, 0);
  // The second is lost; the third ends the stream, and the client says what it has.
  const [recovery] = arrives(block(3, false)).send;
  assert.ok(recovery);
  assert.equal(recovery[8 + 4], 0);
  assert.equal(recovery[8 + 5], 1);
  arrives(block(2, true));
  const { events } = arrives(block(3, false));
  assert.ok(events[0]?.kind === 'message' && events[0].message.kind === 'answered');
});

test('whatever a server sends, the client throws nothing and holds little', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }), (chunks) => {
      const { client, arrives } = standing();
      client.ask({ kind: 'get-pieces', attribute: attribute(2) }, 2);
      for (const chunk of chunks) arrives(chunk);
    }),
  );
});
