import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PUBACK_REASONS, REACTIONS, REASONS, type Reaction } from '#uplink/reason-codes.ts';
import type { Session } from '#uplink/session.ts';
import { dialled, subscribed } from '../support/dialled.ts';
import { owe } from '../support/outbox.ts';
import { welcome5 } from '../support/scripted-broker.ts';
import { open, range, scene, sequencesIn, sequencesOf, urlOf } from '../support/uplink.ts';

const FAILURES = join(import.meta.dirname, '../../firmware-ts/FAILURES.md');
/** What a server may disconnect with (MQTT 5.0, 3.14.2.1). */
const DISCONNECTS = [
  0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
  0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
];
/** What a subscription may be refused with (MQTT 5.0, 3.9.3). */
const SUBACKS = [0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2];

/** Refused for being retained, which has a reason code of its own. */
const RETAINED = { topic: 'will', payload: '', retain: true } as const;

const all = [...REASONS.keys()];
const codeOf = (reason: number): string => REASONS.get(reason)?.code ?? 'broker-refused';

const published = (session: Session): Promise<string> =>
  new Promise((resolve) => {
    session.publish({ topic: 'up', payload: 'x' }, (refusal) => resolve(refusal?.code ?? 'taken'));
    void session.lost.then(({ code }) => resolve(code));
  });

test('every reason code of the standard has its failure', () => {
  assert.deepEqual(
    all,
    range(0xa3 - 0x80).map((at) => 0x80 + at),
  );
});

test('a welcome refused with any reason code says which', async (context) => {
  for (const reason of all) {
    const welcome = (): Uint8Array => Uint8Array.of(0x20, 3, 0, reason, 0);
    const code = codeOf(reason);
    const dialling = dialled(context, { welcome }, { will: RETAINED });
    await assert.rejects(dialling, { code }, reason.toString(16));
  }
});

test('a welcome refused with any return code of MQTT 3.1.1 says which', async (context) => {
  const codes = ['protocol-version-refused', 'client-id-refused', 'broker-unavailable'];
  for (const [at, code] of [...codes, 'not-authorised', 'not-authorised'].entries()) {
    const refused = Uint8Array.of(0x20, 2, 0, at + 1);
    const welcome = (level: number): Uint8Array =>
      level === 5 ? Uint8Array.of(0x20, 2, 0, 1) : refused;
    await assert.rejects(dialled(context, { welcome }), { code }, `return code ${at + 1}`);
  }
});

test('a message refused with any reason code ends no session', async (context) => {
  let reason = 0;
  const session = await dialled(context, { answer: () => reason });
  for (reason of all) assert.equal(await published(session), codeOf(reason), reason.toString(16));
  for (reason of [0, 0x10]) assert.equal(await published(session), 'taken');
  reason = 0xfe;
  assert.equal(await published(session), 'broker-refused', 'a code of its own');
});

test('a PUBACK with a success that there is not is no acknowledgement', async (context) => {
  const session = await dialled(context, { answer: () => 0x01 });
  session.publish({ topic: 'up', payload: 'x' }, () => assert.fail('it has no answer'));
  assert.equal((await session.lost).code, 'protocol-violation');
});

test('a session ended with any reason code says which', async (context) => {
  for (const reason of all) {
    const session = await dialled(context, { answer: () => ({ disconnect: reason }) });
    session.publish({ topic: 'up', payload: 'x' }, () => assert.fail('it has no answer'));
    const code = DISCONNECTS.includes(reason) ? codeOf(reason) : 'protocol-violation';
    assert.equal((await session.lost).code, code, reason.toString(16));
  }
});

test('a subscription refused with any reason code says which', async (context) => {
  for (const reason of SUBACKS) {
    const session = await dialled(context, { subscribed: () => reason });
    assert.equal(await subscribed(session), codeOf(reason), reason.toString(16));
  }
});

test('a broker that takes QoS 0 only is left: it would acknowledge nothing', async (context) => {
  const welcome = (): Uint8Array => welcome5(0x24, 0);
  await assert.rejects(dialled(context, { welcome }), { code: 'qos-not-supported' });
});

test('a message refused with a reason of other packets loses no session', async (context) => {
  let connections = 0;
  const { store, broker, arrivals, until } = await scene(
    context,
    (arrival) => (sequencesOf(arrival).includes(7) ? 0x95 : 0),
    () => {
      connections += 1;
      return welcome5();
    },
  );
  assert.ok(!PUBACK_REASONS.has(0x95));
  await owe(store, 'p1', 0, 20);
  const uplink = open(context, store, { url: urlOf(broker) });
  await until(() => sequencesIn(arrivals, 'p1').includes(19) && arrivals.length > 1);
  await until(() => sequencesOf(arrivals.at(-1) ?? assert.fail()).includes(19));
  await uplink.stop();
  const aside = await store.quarantined('utility');
  assert.deepEqual(
    aside.map(({ stream, code }) => [stream, code]),
    [['p1', 'packet-too-large']],
  );
  assert.equal(connections, 1);
});

test('the documented table of reason codes is the one that is used', () => {
  const documented = readFileSync(FAILURES, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| 0x'))
    .map((line) => line.replaceAll(/ +/g, ' '));
  const reactions: Readonly<Record<string, Reaction>> = REACTIONS;
  const used = [...REASONS].map(([reason, { name, code }]) => {
    const { message, session } = reactions[code] ?? assert.fail(code);
    return `| 0x${reason.toString(16)} | ${name} | ${code} | ${message} | ${session} |`;
  });
  assert.deepEqual(documented, used);
});
