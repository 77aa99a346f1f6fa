import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '#bytes/hex.ts';
import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import type { Step } from '#protocol/connection.ts';
import type { ApduLink, ApduLinkMessage } from '#protocol/dlms/apdu-link.ts';
import { withoutEcho } from '#protocol/echo.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import type { SignOnOptions } from '#protocol/iec62056-21/sign-on-options.ts';
import { SignOn, type SignOnMessage } from '#protocol/iec62056-21/sign-on.ts';
import { signedOn } from '#protocol/iec62056-21/signed-on.ts';

const IDENTIFICATION = '/ISk5\\2MT382-1000\r\n';
const SERVER = { upper: 1, lower: 17, length: 2 } as const;
const CLIENT = { upper: 0x10, length: 1 } as const;

const parity = (text: string): Uint8Array =>
  bytesFromLatin1(text).map((byte) => {
    const ones = byte.toString(2).replaceAll('0', '').length;
    return byte | ((ones & 1) << 7);
  });

/** A meter in mode E: it identifies itself, confirms the choice, and then is an HDLC server. */
class ModeEMeter {
  readonly server = new HdlcServerLink({ server: SERVER });
  readonly asked: string[] = [];
  readonly #confirms: boolean;
  #text = '';
  #binary = false;

  constructor(confirms: boolean) {
    this.#confirms = confirms;
    this.server.start(0);
  }

  take(bytes: Uint8Array): Uint8Array[] {
    if (this.#binary) return this.#answered(this.server.receive(bytes, 0));
    this.#text += latin1FromBytes(bytes);
    if (!this.#text.endsWith('\n')) return [];
    const text = this.#text;
    this.#text = '';
    this.asked.push(text);
    if (text.startsWith('/?')) return [parity(IDENTIFICATION)];
    this.#binary = text === '\x06252\r\n';
    return this.#binary && this.#confirms ? [parity(text)] : [];
  }

  #answered({ send, events }: Step<ApduLinkMessage>): Uint8Array[] {
    const answers = events.flatMap((event) =>
      event.kind === 'message' && event.message.kind === 'apdu'
        ? this.server.send(Uint8Array.of(0xc4, 0x01, 0xc1, 0x00)).send
        : [],
    );
    return [...send, ...answers];
  }
}

interface Told {
  readonly events: string[];
  readonly apdus: string[];
}

/** Signs on, asks once, takes leave; the line gives `echo` back and cuts into `chunk` bytes. */
function course(link: ApduLink, meter: ModeEMeter, echo: boolean, chunk: number): Told {
  const told: Told = { events: [], apdus: [] };
  let now = 0;
  const state = { ended: false };
  const take = ({ send, events }: Step<ApduLinkMessage>): void => {
    for (const event of events) {
      if (event.kind !== 'message') told.events.push(event.failure.code);
      else if (event.message.kind === 'baud') {
        told.events.push(`${event.message.rate} ${event.message.format}`);
      } else told.events.push(event.message.kind);
    }
    const back = send.flatMap((bytes) => [...(echo ? [bytes] : []), ...meter.take(bytes)]);
    const stream = Uint8Array.from(back.flatMap((bytes) => [...bytes]));
    for (let start = 0; start < stream.length; start += chunk) {
      take(link.receive(stream.subarray(start, start + chunk), now));
    }
    for (const event of events) {
      if (event.kind === 'stalled') state.ended = true;
      if (event.kind !== 'message') continue;
      if (event.message.kind === 'opened') take(link.send(Uint8Array.of(0xc0, 1, 0xc1), now));
      if (event.message.kind === 'closed') state.ended = true;
      if (event.message.kind !== 'apdu') continue;
      told.apdus.push(toHex(event.message.bytes));
      take(link.close(now));
    }
  };
  take(link.start(now));
  for (let turn = 0; !state.ended && turn < 1000; turn += 1) {
    now = link.deadline;
    assert.notEqual(now, Infinity);
    take(link.expire(now));
  }
  return told;
}

for (const confirms of [true, false]) {
  test(`mode E leads to HDLC where the meter ${confirms ? 'confirms' : 'does not'}`, () => {
    for (const chunk of [1, 2, 7, 1000]) {
      const meter = new ModeEMeter(confirms);
      const link = signedOn(new HdlcClientLink({ client: CLIENT, server: SERVER }));
      const { events, apdus } = course(link, meter, false, chunk);
      assert.deepEqual(events, ['300 7E1', '9600 8N1', 'opened', 'apdu', 'closed']);
      assert.deepEqual(apdus, ['c401c100']);
      assert.deepEqual(meter.asked, ['/?!\r\n', '\x06252\r\n']);
      assert.equal(link.meter?.identification, '\\2MT382-1000');
    }
  });
}

test('an optical head that echoes is noticed at the first exchange, in every chunk size', () => {
  for (let chunk = 1; chunk <= 60; chunk += 1) {
    const meter = new ModeEMeter(true);
    const hdlc = new HdlcClientLink({ client: CLIENT, server: SERVER });
    const { events, apdus } = course(withoutEcho(signedOn(hdlc)), meter, true, chunk);
    const echoes = events.filter((code) => code === 'echo').length;
    assert.equal(echoes, 5, `chunks of ${chunk}: ${events.join()}`);
    const rest = events.filter((code) => code !== 'echo');
    assert.deepEqual(rest, ['300 7E1', '9600 8N1', 'opened', 'apdu', 'closed']);
    assert.deepEqual(apdus, ['c401c100']);
  }
});

test('a line without echo loses nothing to the search for one, nor one that echoes in part', () => {
  const meter = new ModeEMeter(true);
  const hdlc = new HdlcClientLink({ client: CLIENT, server: SERVER });
  const { events } = course(withoutEcho(signedOn(hdlc)), meter, false, 3);
  assert.deepEqual(events, ['300 7E1', '9600 8N1', 'opened', 'apdu', 'closed']);

  const link = withoutEcho(new HdlcClientLink({ client: CLIENT, server: SERVER }));
  const [snrm = new Uint8Array(0)] = link.start(0).send;
  const server = new HdlcServerLink({ server: SERVER });
  const [ua = new Uint8Array(0)] = server.receive(snrm, 0).send;
  const part = Uint8Array.from([...snrm.subarray(0, 5), ...ua]);
  const told = link.receive(part, 0).events;
  assert.ok(told.some((event) => event.kind === 'message' && event.message.kind === 'opened'));
});

test('a link whose echo is all that comes back has no answer', () => {
  const link = withoutEcho(new HdlcClientLink({ client: CLIENT, server: SERVER, attempts: 2 }));
  const codes: string[] = [];
  const take = ({ send, events }: Step<ApduLinkMessage>): void => {
    for (const event of events) if (event.kind !== 'message') codes.push(event.failure.code);
    for (const bytes of send) take(link.receive(bytes, 0));
  };
  take(link.start(0));
  while (link.deadline !== Infinity) take(link.expire(link.deadline));
  assert.deepEqual(codes, ['echo', 'echo', 'no-answer']);
});

function signOn(options: Partial<SignOnOptions> = {}) {
  const connection = new SignOn({ target: 'readout', ...options });
  const sent: string[] = [];
  const told: string[] = [];
  const messages: SignOnMessage[] = [];
  const take = ({ send, events }: Step<SignOnMessage>): void => {
    sent.push(...send.map((bytes) => toHex(bytes)));
    for (const event of events) {
      told.push(event.kind === 'message' ? event.message.kind : event.failure.code);
      if (event.kind === 'message') messages.push(event.message);
    }
  };
  take(connection.start(0));
  const say = (bytes: Uint8Array): void => take(connection.receive(bytes, 1000));
  const wait = (): void => take(connection.expire(connection.deadline));
  wait();
  return { connection, sent, told, messages, say, wait };
}

/** Data with its end and block check. */
function block(data: string): Uint8Array {
  const inside = bytesFromLatin1(`${data}!\r\n\x03`);
  const check = inside.reduce((sum, byte) => sum ^ byte, 0);
  return Uint8Array.of(0x02, ...inside, check);
}

test('mode C reads the data out at the rate of the meter, and asks again for a bad block', () => {
  const { sent, told, messages, say } = signOn();
  say(parity('/LGZ5ZMF100\r\n'));
  assert.deepEqual(sent, [toHex(bytesFromLatin1('/?!\r\n')), toHex(fromHex('063035300d0a'))]);
  const data = block('1.8.0(000123.4*kWh)\r\n');
  const bad = data.slice();
  bad[8] = (bad[8] ?? 0) ^ 1;
  say(bad);
  assert.equal(sent.at(-1), '15');
  say(data);
  assert.deepEqual(told, ['baud', 'identified', 'baud', 'bad-bcc', 'readout']);
  const [, , change, last] = messages;
  assert.deepEqual(change, { kind: 'baud', rate: 9600, format: '7E1' });
  assert.ok(last?.kind === 'readout' && last.readout.check === 'good');
  assert.equal(last.readout.dataSets[0]?.address, '1.8.0');
});

test('a meter is kept at its first rate where the head manages no more', () => {
  const { sent, messages, say } = signOn({ rateMax: 2400 });
  say(bytesFromLatin1('/LGZ5ZMF100\r\n'));
  assert.equal(sent.at(-1), '063030300d0a');
  assert.deepEqual(messages.at(-1), { kind: 'baud', rate: 300, format: '7E1' });
});

test('mode B changes its rate without being told, and mode A not at all', () => {
  for (const [character, rates] of [
    ['C', [300, 2400]],
    ['!', [300]],
  ] as const) {
    const { sent, messages, say } = signOn();
    say(bytesFromLatin1(`/ABC${character}meter\r\n`));
    say(block('0.0.0(1)\r\n'));
    const changes = messages.flatMap((message) => (message.kind === 'baud' ? [message.rate] : []));
    assert.deepEqual(changes, rates);
    assert.equal(sent.length, 1);
    assert.equal(messages.at(-1)?.kind, 'readout');
  }
});

test('silence, rubbish and a meter without the binary mode are told apart', () => {
  const silent = signOn({ attempts: 2 });
  silent.wait();
  silent.wait();
  assert.deepEqual(silent.told, ['baud', 'no-answer']);
  assert.equal(silent.sent.length, 2);

  const rubbish = signOn({ attempts: 1 });
  rubbish.say(fromHex('80ff00c0e0f8'));
  rubbish.wait();
  assert.deepEqual(rubbish.told, ['baud', 'bad-identification']);

  const plain = signOn({ target: 'hdlc' });
  plain.say(bytesFromLatin1('/LGZ5ZMF100\r\n'));
  assert.deepEqual(plain.told, ['baud', 'identified', 'hdlc-not-offered']);

  const insisting = signOn({ target: 'hdlc', insist: true });
  insisting.say(bytesFromLatin1('/LGZ5ZMF100\r\n'));
  insisting.wait();
  assert.deepEqual(insisting.told, ['baud', 'identified', 'baud', 'signed-on']);
});

test('a read-out without end is given up, and one that breaks off is asked for again', () => {
  const endless = signOn();
  endless.say(bytesFromLatin1('/LGZ5ZMF100\r\n\x02'));
  endless.say(new Uint8Array(300 << 10).fill(0x41));
  assert.equal(endless.told.at(-1), 'too-long');
  const broken = signOn({ attempts: 2 });
  broken.say(bytesFromLatin1('/LGZ5ZMF100\r\n'));
  const part = block('1.8.0(1)\r\n').subarray(0, 9);
  broken.say(part);
  broken.wait();
  broken.say(part);
  broken.wait();
  assert.deepEqual(broken.told.slice(-2), ['truncated', 'truncated']);
  assert.equal(broken.sent.at(-1), '15');
});
