import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacketWatch } from '#uplink/packet-watch.ts';
import type { Session } from '#uplink/session.ts';
import { dialled, subscribed } from '../support/dialled.ts';
import { welcome5, type Arrival } from '../support/scripted-broker.ts';

const REFUSED_311 = Uint8Array.of(0x20, 2, 0, 1); // unacceptable protocol version

/** PUBLISH with a remaining length that makes it one byte too large; the greatest; an endless. */
const HUGE = [
  [0x30, 0xfd, 0xff, 0x03],
  [0x30, 0xff, 0xff, 0xff, 0x7f],
  [0x30, 0x80, 0x80, 0x80, 0x80],
];

for (const level of [5, 4]) {
  test(`level ${level}: a broker that announces a huge packet is left`, async (context) => {
    for (const head of HUGE) {
      const welcome = (asked: number): Uint8Array =>
        asked === level ? Uint8Array.from(head) : REFUSED_311;
      await assert.rejects(dialled(context, { welcome }), { code: 'broker-flood' }, head.join(' '));
    }
  });
}

for (const [limit, properties, code] of [
  ['no message in flight', [0x21, 0, 0], 'protocol-violation'],
  ['packets of 0 bytes', [0x27, 0, 0, 0, 0], 'protocol-violation'],
  ['packets of 255 bytes', [0x27, 0, 0, 0, 255], 'packet-too-large'],
] as const) {
  test(`a broker that takes ${limit} is left: nothing could be sent to it`, async (context) => {
    const welcome = (): Uint8Array => welcome5(...properties);
    await assert.rejects(dialled(context, { welcome }), { code });
  });
}

test('what nobody subscribed to is not kept at QoS 2', async (context) => {
  const publish = Uint8Array.of(0x34, 7, 0, 1, 0x61, 0, 9, 0, 0x62); // topic a, packet 9, payload b
  const answered = Promise.withResolvers<string>();
  await dialled(context, {
    welcome: () => Buffer.concat([welcome5(), publish]),
    heard: (type, body) => answered.resolve(`${type} ${Buffer.from(body).toString('hex')}`),
  });
  assert.equal(await answered.promise, '5 00098300', 'PUBREC of packet 9: 0x83, no property');
});

test('an MQTT 5 broker is told how much may come', async (context) => {
  let told = '';
  await dialled(context, {
    welcome: (_level, _connection, body) => {
      // MQTT 5, 3.1.2.11: the properties stand behind name, level, flags and keep alive.
      told = Buffer.from(body.subarray(11, 11 + (body[10] ?? 0))).toString('hex');
      return welcome5();
    },
  });
  assert.ok(told.includes('210008'), 'Receive Maximum 8');
  assert.ok(told.includes('2700010000'), 'Maximum Packet Size 65 536');
});

function published(session: Session, topic: string, payload: string): Promise<string> {
  return new Promise((resolve) => {
    session.publish({ topic, payload, retain: true }, (refusal) => {
      resolve(refusal?.code ?? 'taken');
    });
  });
}

test('a topic is named once, then by its alias, where the broker takes one', async (context) => {
  for (const [properties, named] of [
    [
      [0x22, 0, 2],
      ['a/long/topic', '', 'another', '', 'a third', 'a/long/topic'],
    ],
    [[], ['a/long/topic', 'a/long/topic', 'another', 'another', 'a third', 'a/long/topic']],
  ] as const) {
    const arrivals: Arrival[] = [];
    const session = await dialled(context, {
      welcome: () => welcome5(...properties),
      answer: (arrival) => {
        arrivals.push(arrival);
        return 0;
      },
    });
    const [long, other] = ['a/long/topic', 'another'];
    for (const topic of [long, long, other, other, 'a third', long]) {
      assert.equal(await published(session, topic, 'x'), 'taken');
    }
    assert.deepEqual(
      arrivals.map(({ topicSent }) => topicSent),
      named,
    );
    assert.deepEqual(
      arrivals.map(({ topic }) => topic),
      [long, long, other, other, 'a third', long],
    );
  }
});

test('the will waits ten seconds, and the session lives long enough for it', async (context) => {
  let connect = '';
  await dialled(context, {
    welcome: (_level, _connection, body) => {
      connect = Buffer.from(body).toString('hex');
      return welcome5();
    },
  });
  assert.ok(connect.includes('1100' + '00003c'), 'Session Expiry Interval 60 s');
  assert.ok(connect.includes('1800' + '00000a'), 'Will Delay Interval 10 s');
  const flags = Number.parseInt(connect.slice(14, 16), 16);
  assert.equal(flags & 2, 0, 'no Clean Start, which would publish the will of the session before');
});

test('an idle way that is half open is noticed within 45 seconds', async (context) => {
  const told: number[] = [];
  await dialled(context, {
    welcome: (level, _connection, body) => {
      told.push(256 * (body[8] ?? 0) + (body[9] ?? 0)); // MQTT 5.0 and 3.1.1, 3.1.2.10
      return level === 5 ? REFUSED_311 : Uint8Array.of(0x20, 2, 0, 0);
    },
  });
  // Who gets no answer within half as long again has lost the broker, and the broker us.
  assert.deepEqual(told, [30, 30]);
});

test('a gateway leaves no session behind on a broker of MQTT 3.1.1', async (context) => {
  let flags = 0;
  await dialled(context, {
    welcome: (level, _connection, body) => {
      flags = body[7] ?? 0;
      return level === 5 ? REFUSED_311 : Uint8Array.of(0x20, 2, 0, 0);
    },
  });
  assert.equal(flags & 2, 2, 'Clean Session');
});

test('a broker that keeps no messages still gets presence and readings', async (context) => {
  for (const welcome of [
    // It refuses a will that is to be retained (0x9A) …
    (_level: number, connection: number): Uint8Array =>
      connection === 0 ? Uint8Array.of(0x20, 3, 0, 0x9a, 0) : welcome5(),
    // … or says beforehand that it retains nothing (MQTT 5, 3.2.2.3.5).
    () => welcome5(0x25, 0),
  ]) {
    const retained: boolean[] = [];
    const session = await dialled(
      context,
      {
        welcome,
        answer: ({ retain }) => {
          retained.push(retain);
          return 0;
        },
      },
      { will: { topic: 'will', payload: '', retain: true } },
    );
    assert.equal(await published(session, 'st', '{}'), 'taken');
    assert.deepEqual(retained, [false]);
  }
});

for (const level of [5, 4]) {
  test(`level ${level}: a session hears the one topic that it asked for`, async (context) => {
    const heard: string[] = [];
    const last = Promise.withResolvers<undefined>();
    const session = await dialled(context, {
      welcome: (asked) => {
        if (asked !== level) return REFUSED_311;
        return level === 5 ? welcome5() : Uint8Array.of(0x20, 2, 0, 0);
      },
      subscribed: (topic, send) => {
        assert.equal(topic, 'rc');
        send('other', Buffer.from('not asked for'));
        for (const text of ['one', 'two', 'three']) send('rc', Buffer.from(text));
        return 1;
      },
    });
    const answer = subscribed(session, (payload) => {
      heard.push(Buffer.from(payload).toString());
      if (heard.length === 3) last.resolve(undefined);
    });
    assert.equal(await answer, 'granted');
    await last.promise;
    assert.deepEqual(heard, ['one', 'two', 'three']);
  });

  test(`level ${level}: a subscription that is refused ends no session`, async (context) => {
    let reason = level === 5 ? 0x87 : 0x80;
    const session = await dialled(context, {
      welcome: (asked) => {
        if (asked !== level) return REFUSED_311;
        return level === 5 ? welcome5() : Uint8Array.of(0x20, 2, 0, 0);
      },
      subscribed: () => reason,
    });
    assert.equal(await subscribed(session), level === 5 ? 'not-authorised' : 'broker-error');
    assert.equal(await published(session, 'up', 'x'), 'taken');
    reason = 1;
    assert.equal(await subscribed(session), 'granted', 'it may be asked again');
  });

  test(`level ${level}: a SUBACK with a code that there is not is the end`, async (context) => {
    const session = await dialled(context, {
      welcome: (asked) => {
        if (asked !== level) return REFUSED_311;
        return level === 5 ? welcome5() : Uint8Array.of(0x20, 2, 0, 0);
      },
      subscribed: () => 0x05,
    });
    const lost = session.lost.then(({ code }) => code);
    assert.equal(await Promise.race([subscribed(session), lost]), 'protocol-violation');
  });
}

test('bytes on the wire are counted both ways, also after the end', async (context) => {
  const session = await dialled(context, {});
  const { bytesRead, bytesWritten } = session.traffic();
  assert.equal(bytesRead, 5, 'the CONNACK');
  assert.equal(await published(session, 'up', 'x'.repeat(1000)), 'taken');
  assert.equal(session.traffic().bytesWritten - bytesWritten, 1010);
  assert.equal(session.traffic().bytesRead, 10);
  session.abort({ code: 'stopped', message: '' });
  assert.equal(session.traffic().bytesRead, 10);
});

test('packets are followed through any division of the stream', () => {
  const packet = (length: number): Uint8Array =>
    length < 128
      ? Uint8Array.of(0x40, length, ...new Uint8Array(length).fill(0xff))
      : Uint8Array.of(
          0x30,
          (length & 0x7f) | 0x80,
          length >> 7,
          ...new Uint8Array(length).fill(0xff),
        );
  const stream = Buffer.concat([0, 2, 127, 128, 1000, 0, 997].map(packet));
  for (const size of [1, 2, 3, 7, 128, stream.length]) {
    for (const [packetBytesMax, good] of [
      [1003, true],
      [1002, false],
    ] as const) {
      const watch = new PacketWatch(packetBytesMax);
      let passed = true;
      for (let at = 0; passed && at < stream.length; at += size) {
        passed = watch.push(stream.subarray(at, at + size));
      }
      assert.equal(passed, good, `${packetBytesMax} in pieces of ${size}`);
    }
  }
});
