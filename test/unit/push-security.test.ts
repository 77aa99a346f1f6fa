import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '#bytes/hex.ts';
import { bytesFromLatin1 } from '#bytes/text.ts';
import type { ConnectionEvent } from '#protocol/connection.ts';
import { encodeDataNotification } from '#protocol/dlms/data-notification.ts';
import { sealGeneralCiphering } from '#protocol/dlms/general-ciphering.ts';
import type { DlmsPushMessage, DlmsPushOptions } from '#protocol/dlms/push.ts';
import { DlmsPushConnection } from '#protocol/dlms/push.ts';
import type { AuthenticationPolicy, CipherKeys } from '#protocol/dlms/security.ts';
import { securityControlFrom } from '#protocol/dlms/security.ts';
import { hdlcFramer } from '#protocol/hdlc/framer.ts';
import { P1Connection } from '#protocol/p1/connection.ts';
import type { P1Telegram } from '#protocol/p1/telegram.ts';
import { observationFromCosem } from '#reading/from-cosem.ts';
import { observationFromP1 } from '#reading/from-p1.ts';
import type { TimeMark } from '#reading/reading.ts';
import { p1TelegramAt } from '#sim/p1-meter.ts';
import { machineAesGcm } from '#system/cipher.ts';

const ARRIVAL: TimeMark = { second: 1, nanosecond: 0, clock: 'gateway', trust: 'unknown' };
const KEYS = {
  encryption: new Uint8Array(16).fill(1),
  authentication: new Uint8Array(16).fill(2),
};
const AUTHENTICATED_AND_ENCRYPTED = 0x30;
const AUTHENTICATED = 0x10;
const ENCRYPTED = 0x20;
const BROADCAST = 0x40;

const NOTIFICATION = encodeDataNotification({
  longInvokeIdAndPriority: 1,
  body: {
    type: 'structure',
    value: [
      { type: 'octet-string', value: Uint8Array.of(1, 0, 1, 8, 0, 255) },
      { type: 'double-long-unsigned', value: 4711 },
    ],
  },
});
const TELEGRAM = p1TelegramAt(1_795_219_200, 0);

interface Seal {
  readonly control?: number;
  readonly title?: string;
}

function sealed(plain: Uint8Array, invocationCounter: number, seal: Seal = {}): Uint8Array {
  return sealGeneralCiphering(plain, {
    systemTitle: bytesFromLatin1(seal.title ?? 'NRMtitle'),
    securityControl: securityControlFrom(seal.control ?? AUTHENTICATED_AND_ENCRYPTED),
    invocationCounter,
    keys: { ...KEYS, broadcast: KEYS.encryption },
    cipher: machineAesGcm,
  });
}

function damaged(apdu: Uint8Array, at: number): Uint8Array {
  return apdu.map((byte, index) => (index === at ? byte ^ 1 : byte));
}

function pushConnection(options: Partial<DlmsPushOptions> = {}): DlmsPushConnection {
  const connection = new DlmsPushConnection({
    framing: 'raw',
    authentication: 'require',
    keys: { ...KEYS, broadcast: KEYS.encryption },
    cipher: machineAesGcm,
    ...options,
  });
  connection.start(0);
  return connection;
}

function p1Connection(policy: AuthenticationPolicy, keys: CipherKeys = KEYS): P1Connection {
  const connection = new P1Connection({ ciphering: { keys, policy, cipher: machineAesGcm } });
  connection.start(0);
  return connection;
}

/** Of each event the code of its failure, or the marks of its observation. */
function judged<Message>(
  events: readonly ConnectionEvent<Message>[],
  qualityOf: (message: Message) => readonly string[],
): readonly string[] {
  return events.map((event) =>
    event.kind === 'message'
      ? ['taken', ...qualityOf(event.message)].join(' ')
      : event.failure.code,
  );
}

const pushQuality = (message: DlmsPushMessage): readonly string[] =>
  observationFromCosem('meter', message, ARRIVAL).quality;
const p1Quality = (telegram: P1Telegram): readonly string[] =>
  observationFromP1('meter', telegram, ARRIVAL).quality;

test('where authentication is required, nothing is taken without a tag that was checked', () => {
  const cases: readonly [Uint8Array, string][] = [
    [NOTIFICATION, 'not-authenticated'],
    [sealed(NOTIFICATION, 1, { control: ENCRYPTED }), 'not-authenticated'],
    [sealed(NOTIFICATION, 2, { control: 0 }), 'not-authenticated'],
    [sealed(NOTIFICATION, 3, { control: AUTHENTICATED }), 'taken'],
    [sealed(NOTIFICATION, 4), 'taken'],
  ];
  for (const [apdu, expected] of cases) {
    const { events } = pushConnection().receive(apdu, 0);
    assert.deepEqual(judged(events, pushQuality), [expected]);
    const [event] = events;
    if (event?.kind === 'discarded') assert.ok(event.failure.hint);
  }
  for (const [bytes, expected] of [
    [TELEGRAM, 'not-authenticated'],
    [sealed(TELEGRAM, 1, { control: ENCRYPTED }), 'not-authenticated'],
    [sealed(TELEGRAM, 2), 'taken'],
  ] as const) {
    const connection = p1Connection('require');
    const [first] = judged(connection.receive(bytes, 0).events, p1Quality);
    assert.equal(first, expected);
  }
});

test('what comes in clear from a meter with keys is taken and marked unverified', () => {
  const { encryption, authentication } = KEYS;
  for (const [keys, expected] of [
    [{}, 'taken'],
    [{ encryption }, 'taken unverified'],
    [{ authentication }, 'taken unverified'],
  ] as const) {
    for (const policy of ['if-key', 'never'] as const) {
      const push = pushConnection({ keys, authentication: policy });
      assert.deepEqual(judged(push.receive(NOTIFICATION, 0).events, pushQuality), [expected]);
      const p1 = p1Connection(policy, keys);
      assert.deepEqual(judged(p1.receive(TELEGRAM, 0).events, p1Quality), [expected]);
    }
  }
});

test('a verified push is taken once; each meter and key has its own counter', () => {
  const connection = pushConnection();
  const judge = (apdu: Uint8Array): readonly string[] =>
    judged(connection.receive(apdu, 0).events, pushQuality);
  assert.deepEqual(judge(sealed(NOTIFICATION, 7)), ['taken']);
  assert.deepEqual(judge(sealed(NOTIFICATION, 7)), ['replayed']);
  assert.deepEqual(judge(sealed(NOTIFICATION, 6)), ['replayed']);
  assert.deepEqual(judge(sealed(NOTIFICATION, 6, { title: 'NRMother' })), ['taken']);
  const broadcast = AUTHENTICATED_AND_ENCRYPTED | BROADCAST;
  assert.deepEqual(judge(sealed(NOTIFICATION, 5, { control: broadcast })), ['taken']);
  assert.deepEqual(judge(sealed(NOTIFICATION, 8)), ['taken']);
  assert.deepEqual(judge(sealed(NOTIFICATION, 7)), ['replayed']);
  connection.start(0);
  assert.deepEqual(judge(sealed(NOTIFICATION, 7)), ['taken'], 'a new link, a new count');
});

test('once a key has fitted a meter, a message that cannot be opened is damaged', () => {
  const other = sealed(NOTIFICATION, 1, { title: 'NRMother' });
  const late = (apdu: Uint8Array): Uint8Array => damaged(apdu, apdu.length - 1);
  const connection = pushConnection();
  const judge = (...apdus: readonly Uint8Array[]): readonly string[] =>
    apdus.flatMap((apdu) => judged(connection.receive(apdu, 0).events, pushQuality));
  const neverFitted = ['wrong-authentication-key'];
  assert.deepEqual(judge(late(sealed(NOTIFICATION, 1))), neverFitted);
  assert.deepEqual(judge(sealed(NOTIFICATION, 2), late(sealed(NOTIFICATION, 3))), [
    'taken',
    'bad-tag',
  ]);
  assert.deepEqual(judge(damaged(sealed(NOTIFICATION, 4), 20)), ['bad-tag']);
  assert.deepEqual(judge(late(other), other), [...neverFitted, 'taken'], 'another meter');
  const unchecked = pushConnection({ authentication: 'never' });
  const events = [sealed(NOTIFICATION, 1, { control: 0 }), damaged(sealed(NOTIFICATION, 2), 15)];
  assert.deepEqual(
    events.flatMap((apdu) => judged(unchecked.receive(apdu, 0).events, pushQuality)),
    ['taken unverified', 'wrong-key'],
    'what came in clear proves no key',
  );
});

test('what nobody verified does not move the counter', () => {
  const connection = pushConnection({ authentication: 'if-key' });
  const forged = sealed(NOTIFICATION, 0xffff_ffff, { control: 0 });
  const events = [forged, sealed(NOTIFICATION, 1)].flatMap(
    (apdu) => connection.receive(apdu, 0).events,
  );
  assert.deepEqual(judged(events, pushQuality), ['taken unverified', 'taken']);
});

test('a verified P1 telegram is taken once', () => {
  const connection = p1Connection('require');
  const codes = [3, 3, 2, 4].map(
    (counter) => judged(connection.receive(sealed(TELEGRAM, counter), 0).events, p1Quality)[0],
  );
  assert.deepEqual(codes, ['taken', 'replayed', 'replayed', 'taken']);
});

test('a peer that pushes nothing is given up, whatever rubbish it sends', () => {
  const connection = pushConnection({ silentMs: 60_000, keys: {}, authentication: 'if-key' });
  assert.equal(connection.deadline, 60_000);
  connection.receive(NOTIFICATION, 10_000);
  assert.equal(connection.deadline, 70_000);
  connection.receive(fromHex('00112233'), 60_000);
  const codes = [62_000, 70_000].flatMap((at) => {
    assert.equal(connection.deadline, at);
    return judged(connection.expire(at).events, pushQuality);
  });
  assert.deepEqual(codes, ['noise', 'silent']);
  assert.equal(connection.deadline, 130_000);
  const usual = pushConnection();
  assert.ok(usual.deadline > 3_600_000 && usual.deadline < Infinity, 'hourly pushes are usual');
});

test('a megabyte of rubbish makes few events', () => {
  for (const [unit, framing] of [
    ['7e7d', 'hdlc'],
    ['7ea0', 'hdlc'],
    ['7e00', 'hdlc'],
    ['0f', 'raw'],
    ['db', 'raw'],
    ['0f0000000005', 'raw'],
    ['680303680000', 'mbus'],
  ] as const) {
    const rubbish = fromHex(unit.repeat(100_000));
    const connection = pushConnection({ framing });
    const { events } = connection.receive(rubbish, 0);
    assert.ok(events.length <= rubbish.length / 100, `${unit}: ${events.length} events`);
  }
});

test('failures of different kinds are told apart, of one kind once, with all bytes', () => {
  const framer = hdlcFramer();
  const events = [
    ...framer.push(fromHex('7e007e007e00 7ea0017e'.replace(' ', ''))),
    ...framer.flush(),
  ];
  assert.deepEqual(
    events.map(({ kind, offset, length, ...rest }) => [
      kind,
      offset,
      length,
      'failure' in rest ? rest.failure.code : '',
    ]),
    [
      ['discarded', 0, 6, 'bad-format'],
      ['discarded', 6, 3, 'bad-length'],
    ],
  );
});
