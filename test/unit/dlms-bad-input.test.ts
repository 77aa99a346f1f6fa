import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '#bytes/hex.ts';
import { ACTION_RESPONSE } from '#protocol/dlms/action.ts';
import type { DlmsClientMessage, DlmsClientOptions } from '#protocol/dlms/client/client-options.ts';
import { encodeGeneralBlock } from '#protocol/dlms/general-block-transfer.ts';
import { GET_RESPONSE } from '#protocol/dlms/get.ts';
import { lowAuthenticator } from '#protocol/dlms/hls.ts';
import { joined } from '#protocol/dlms/octets.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import type { GloDedOptions } from '#protocol/dlms/protections.ts';
import type { DlmsServer, DlmsServerOptions } from '#protocol/dlms/server/server.ts';
import type { ServiceRequest } from '#protocol/dlms/service.ts';
import { SET_RESPONSE } from '#protocol/dlms/set.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import { encodeHdlcFrame, decodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged } from '#protocol/hdlc/framer.ts';
import { encodeWrapperPdu } from '#protocol/wrapper/wrapper.ts';
import { machineAesGcm } from '#system/cipher.ts';
import { InvocationCounter } from '#protocol/dlms/invocation-counter.ts';
import { MECHANISM, encodeAarq } from '#protocol/dlms/acse.ts';
import { ADDRESS, PASSWORD, attribute, codesOf, pair } from '../support/dlms-pair.ts';

const WRAPPER_BYTES = 8;
/** More than any of these exchanges may take: what goes on behind it has no end. */
const ROUNDS_MAX = 100_000;

/** What our server says to an APDU, and the codes of what it refused. */
function served(server: DlmsServer, apdu: Uint8Array) {
  const pdu = encodeWrapperPdu({ source: ADDRESS.client, destination: ADDRESS.server, apdu });
  const { send, events } = server.receive(pdu, 1);
  const refused = events.flatMap((event) =>
    event.kind === 'message' && event.message.kind === 'refused'
      ? [event.message.failure.code]
      : [],
  );
  return { said: send.map((bytes) => bytes.subarray(WRAPPER_BYTES)), refused };
}

/** A server with which a client stands, and one value. */
function standingServer(options: Partial<DlmsServerOptions> = {}): DlmsServer {
  const { server, open, stored } = pair({}, options);
  open();
  stored.set(2, { type: 'unsigned', value: 7 });
  return server;
}

const GET = fromHex('c001c100010000600100ff0200');
const EXCEPTION = 'd8';

/** It still serves: an attribute that is there is read. */
function assertServes(server: DlmsServer): void {
  const [answer = new Uint8Array(0)] = served(server, GET).said;
  assert.equal(GET_RESPONSE.decode(answer).kind, 'get-response-normal');
}

function nested(depth: number): Uint8Array {
  const structures = new Uint8Array(2 * depth).map((_, index) => (index % 2 === 0 ? 2 : 1));
  return joined(structures, Uint8Array.of(0));
}

const SET_HEAD = fromHex('c101c100010000600100ff0200');

test('lengths, depths and counts beyond reason are refused by the server, which goes on', () => {
  const cases: readonly [string, Uint8Array, string][] = [
    ['a list of 2^32 attributes', fromHex('c003c184ffffffff'), 'bad-count'],
    ['a string of 4 GiB', joined(SET_HEAD, fromHex('0984ffffffff01')), 'truncated'],
    ['structures 10 000 deep', joined(SET_HEAD, nested(10_000)), 'too-deep'],
    ['2^32 nulls', joined(SET_HEAD, fromHex('0184ffffffff00')), 'bad-count'],
    ['a length of a length of 127', joined(SET_HEAD, fromHex('09ff01')), 'bad-length'],
    ['nothing', new Uint8Array(0), 'service-unknown'],
  ];
  for (const [what, apdu, code] of cases) {
    const server = standingServer();
    const { said, refused } = served(server, apdu);
    assert.deepEqual(refused, [code], what);
    assert.deepEqual(
      said.map((bytes) => toHex(bytes.subarray(0, 1))),
      [EXCEPTION],
      what,
    );
    assertServes(server);
  }
});

/** The code with which a client ends a request that is answered so, and how often it asked. */
function endOf(
  request: ServiceRequest,
  answer: (round: number) => string,
  options: Partial<DlmsClientOptions> = {},
) {
  const { client, open } = pair({ invokeIdOf: () => 0xc1, ...options });
  open();
  let step = client.ask(request, 2);
  let answers = 0;
  for (let round = 1; round < ROUNDS_MAX; round += 1) {
    const told = step.events.flatMap((event) => (event.kind === 'message' ? [event.message] : []));
    const failed = told.find(({ kind }) => kind === 'failed');
    if (failed?.kind === 'failed') return { code: failed.failure.code, rounds: round };
    const piece = told.some(isPiece);
    if (!piece && step.send.length === 0) return { code: codesOf(told).join(), rounds: round };
    if (piece) step = client.ask({ kind: 'next-piece' }, 2);
    else step = client.receive(wrapped(answer((answers += 1))), 2);
  }
  return { code: 'no end', rounds: ROUNDS_MAX };
}

function wrapped(hex: string): Uint8Array {
  return encodeWrapperPdu({ source: 1, destination: 16, apdu: fromHex(hex) });
}

function isPiece(message: DlmsClientMessage): boolean {
  return message.kind === 'answered' && message.answer.kind === 'piece';
}

const READING: ServiceRequest = { kind: 'get', attributes: [attribute(2)] };
const ACTING: ServiceRequest = {
  kind: 'action',
  items: [{ method: { ...attribute(2), methodId: 1 } }],
};

test('lengths that lie, depths and counts beyond reason are refused by the client', () => {
  const cases: readonly [string, string, string][] = [
    ['a string of 4 GiB', 'c401c1000984ffffffff01', 'truncated'],
    ['structures 10 000 deep', `c401c100${toHex(nested(10_000))}`, 'too-deep'],
    ['2^32 nulls', 'c401c1000184ffffffff00', 'bad-count'],
    ['a block of 4 GiB', 'c402c100000000010084ffffffff', 'truncated'],
    ['an answer one byte short', 'c401c10006000000', 'truncated'],
  ];
  for (const [what, answer, code] of cases) {
    assert.equal(endOf(READING, () => answer).code, code, what);
  }
});

const HEX_4 = (value: number): string => value.toString(16).padStart(4, '0');
const HEX_8 = (value: number): string => value.toString(16).padStart(8, '0');
const BLOCK_BYTES = 0xe000;
const BLOCK = `82e000${'ab'.repeat(BLOCK_BYTES)}`;

test('a server that never says last-block is left, by each service', () => {
  const general = (round: number): string =>
    toHex(
      encodeGeneralBlock({
        lastBlock: false,
        streaming: false,
        window: 1,
        blockNumber: round & 0xffff,
        blockNumberAck: round & 0xffff,
        blockData: new Uint8Array(BLOCK_BYTES).fill(1),
      }),
    );
  const get = (round: number): string => `c402c100${HEX_8(round)}00${BLOCK}`;
  const action = (round: number): string => `c702c100${HEX_8(round)}${BLOCK}`;
  assert.equal(endOf(READING, get).code, 'too-long');
  assert.equal(endOf(ACTING, action).code, 'too-long');
  assert.equal(endOf(READING, general).code, 'too-long');
  const short = {
    referencing: 'SN',
    shortNames: { attribute: () => 8, method: () => 8 },
  } as const;
  const read = (round: number): string => `0c010200${HEX_4(round)}${BLOCK}`;
  assert.equal(readByShortName(read, short), 'too-long');
});

test('blocks without a byte, and never the last, are not waited for', () => {
  const get = (round: number): string => `c402c100${HEX_8(round)}0000`;
  const action = (round: number): string => `c702c100${HEX_8(round)}00`;
  const general = (round: number): string => `e001${HEX_4(round)}${HEX_4(0)}00`;
  for (const [request, answer] of [
    [READING, get],
    [{ kind: 'get-pieces', attribute: attribute(2) }, get],
    [ACTING, action],
    [READING, general],
  ] as const) {
    const { code, rounds } = endOf(request, answer);
    assert.equal(code, 'endless-blocks');
    assert.ok(rounds < 40, `${rounds} rounds`);
  }
});

/** A server of short names cannot be paired here: the client is told that it stands. */
function readByShortName(
  answer: (round: number) => string,
  options: Partial<DlmsClientOptions>,
): string {
  const conformance = new Set(['read', 'blockTransferWithGetOrRead'] as const);
  const preEstablished = {
    referencing: 'SN',
    conformance,
    serverMaxReceivePduSize: 0,
    vaaName: 0xfa00,
  } as const;
  return endOf(READING, answer, { ...options, preEstablished }).code;
}

test('blocks out of order are refused by the client, whatever they bring', () => {
  const cases: readonly [ServiceRequest, string, string][] = [
    [READING, 'c402c100000000070001ff', 'block-out-of-order'],
    [ACTING, 'c702c1000000000701ff', 'block-out-of-order'],
  ];
  for (const [request, answer, code] of cases) {
    assert.equal(endOf(request, () => answer).code, code);
  }
});

test('blocks out of order, and what was never begun, are refused by the server', () => {
  const setNext = 'c103c1010000000201ff';
  const setFirst = 'c102c100010000600100ff020000000000010109';
  const cases: readonly [string, readonly string[], (apdu: Uint8Array) => number][] = [
    ['the next block of no GET', ['c002c100000001'], resultOfGet],
    ['a block of no SET', [setNext], resultOfSet],
    [
      'the third block of a SET after its first',
      [setFirst, setNext.replace('02', '03')],
      resultOfSet,
    ],
    ['the next block of no ACTION', ['c302c100000001'], resultOfAction],
    ['a block of no ACTION', ['c306c1000000000201ff'], resultOfAction],
  ];
  for (const [what, requests, resultOf] of cases) {
    const server = standingServer();
    const answers = requests.flatMap((hex) => served(server, fromHex(hex)).said);
    assert.ok([15, 16, 17, 18, 19].includes(resultOf(answers.at(-1) ?? new Uint8Array(0))), what);
    assertServes(server);
  }
});

function resultOfGet(apdu: Uint8Array): number {
  const response = GET_RESPONSE.decode(apdu);
  assert.ok(response.kind === 'get-response-with-datablock');
  const { result } = response.result;
  return result.kind === 'data-access-result' ? result.result : -1;
}

function resultOfSet(apdu: Uint8Array): number {
  const response = SET_RESPONSE.decode(apdu);
  assert.ok(response.kind === 'set-response-last-datablock', response.kind);
  return response.result;
}

function resultOfAction(apdu: Uint8Array): number {
  const response = ACTION_RESPONSE.decode(apdu);
  assert.ok(response.kind === 'action-response-normal', response.kind);
  return response.single.result;
}

test('segments without end are answered by FRMR, and the link can be set up again', () => {
  const server = { upper: 1, length: 1 } as const;
  const client = { upper: 16, length: 1 } as const;
  const link = new HdlcServerLink({ server });
  link.start(0);
  const said = (control: Parameters<typeof encodeHdlcFrame>[0]['control'], bytes = 0) => {
    const information = new Uint8Array(bytes).fill(0x55);
    const segmented = control.kind === 'I';
    const frame = { segmented, destination: server, source: client, control, information };
    const { send } = link.receive(flagged(encodeHdlcFrame(frame)), 1);
    return send.map((one) => decodeHdlcFrame(one.subarray(1, -1)).control.kind);
  };
  assert.deepEqual(said({ kind: 'SNRM', poll: true }), ['UA']);
  let answers: readonly string[] = ['RR'];
  for (let sent = 0; sent < ROUNDS_MAX && answers[0] === 'RR'; sent += 1) {
    answers = said({ kind: 'I', send: sent & 7, receive: 0, poll: true }, 128);
  }
  assert.deepEqual(answers, ['FRMR']);
  assert.deepEqual(said({ kind: 'SNRM', poll: true }), ['UA']);
});

const TITLES = { client: fromHex('4e524d0000000001'), server: fromHex('4e524d0000000002') };
const KEYS = {
  encryption: new Uint8Array(16).fill(1),
  authentication: new Uint8Array(16).fill(2),
};

function protectionOf(side: 'client' | 'server', level: GloDedOptions['level'] = BOTH) {
  const counters = new InvocationCounter();
  counters.grant({ from: 0, until: 1000 });
  const peer = side === 'client' ? 'server' : 'client';
  return gloDedProtection({
    suite: 0,
    ownTitle: TITLES[side],
    peerTitle: TITLES[peer],
    keys: KEYS,
    policy: 'require',
    level,
    form: 'service-specific',
    cipher: machineAesGcm,
    counters,
  });
}

const BOTH = 'authenticated-and-encrypted';

function securedPair() {
  const secured = pair(
    { protection: protectionOf('client'), clientTitle: TITLES.client, invokeIdOf: () => 0xc1 },
    { protection: protectionOf('server'), serverTitle: TITLES.server },
  );
  assert.deepEqual(codesOf(secured.open()), ['associated']);
  secured.stored.set(2, { type: 'unsigned', value: 7 });
  return secured;
}

test('the server answers no request that was replayed, or that came without its protection', () => {
  const { server, client } = securedPair();
  const [asked = new Uint8Array(0)] = client.ask(READING, 1).send;
  const request = asked.subarray(WRAPPER_BYTES);
  assert.deepEqual(served(server, request).refused, []);
  const cases: readonly [string, Uint8Array, string][] = [
    ['again', request, 'replayed'],
    ['in clear', GET, 'not-authenticated'],
    ['encrypted only', protectionOf('client', 'encrypted').protect(GET), 'not-authenticated'],
    ['changed', request.with(-1, (request.at(-1) ?? 0) ^ 1), 'bad-tag'],
  ];
  for (const [what, apdu, code] of cases) {
    const { said, refused } = served(server, apdu);
    assert.deepEqual(refused, [code], what);
    assert.deepEqual(
      said.map((bytes) => toHex(bytes.subarray(0, 1))),
      [EXCEPTION],
      what,
    );
  }
});

test('the client takes no answer that was replayed, or that came without its protection', () => {
  const answer = fromHex('c401c1001107');
  const cases: readonly [string, (genuine: Uint8Array) => Uint8Array, string][] = [
    ['again', (genuine) => genuine, 'replayed'],
    ['in clear', () => answer, 'not-authenticated'],
    [
      'encrypted only',
      () => protectionOf('server', 'encrypted').protect(answer),
      'not-authenticated',
    ],
  ];
  for (const [what, made, code] of cases) {
    const { server, client } = securedPair();
    const [asked = new Uint8Array(0)] = client.ask(READING, 1).send;
    const [genuine = new Uint8Array(0)] = server.receive(asked, 1).send;
    client.receive(genuine, 1);
    client.ask(READING, 1);
    const apdu = made(genuine.subarray(WRAPPER_BYTES));
    const pdu = encodeWrapperPdu({ source: 1, destination: 16, apdu });
    const told = client.receive(pdu, 1).events.flatMap((event) => {
      return event.kind === 'message' ? [event.message] : [];
    });
    assert.deepEqual(codesOf(told), [`asking: ${code}`], what);
  }
});

test('an association whose InitiateResponse was downgraded to clear does not stand', () => {
  const { open } = pair(
    { protection: protectionOf('client'), clientTitle: TITLES.client },
    {
      protection: {
        ...protectionOf('server'),
        protect: (apdu) => apdu,
      },
    },
  );
  assert.deepEqual(codesOf(open()), ['associating: not-authenticated']);
});

test('after wrong passwords, one after another, the server takes the right one no more', () => {
  const low = { mechanismName: MECHANISM.low, secret: PASSWORD };
  const { server, open } = pair({ authenticator: lowAuthenticator(PASSWORD) }, low);
  const wrong = encodeAarq({
    applicationContextName: 1,
    senderAcseRequirements: Uint8Array.of(0x07, 0x80),
    mechanismName: MECHANISM.low,
    callingAuthenticationValue: Uint8Array.of(1, 2, 3),
    userInformation: fromHex('01000000065f1f040000101dffff'),
  });
  const guess = (): readonly string[] => served(server, wrong).refused;
  const told = Array.from({ length: 6 }, guess).flat();
  assert.deepEqual(told, ['too-many-attempts']);
  assert.deepEqual(codesOf(open()), ['associating: service-refused']);
});

test('a technician who mistypes now and then is let in each time', () => {
  const low = { mechanismName: MECHANISM.low, secret: PASSWORD };
  const { open } = pair({ authenticator: lowAuthenticator(PASSWORD) }, low);
  for (let count = 0; count < 20; count += 1) assert.deepEqual(codesOf(open()), ['associated']);
});
