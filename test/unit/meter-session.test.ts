import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import { openMeterSession } from '#acquisition/meter-session.ts';
import type { MeterSession } from '#acquisition/meter-session.ts';
import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import type { Link, StreamHandler } from '#link/link.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { get } from '#protocol/dlms/procedure.ts';
import { DlmsServer } from '#protocol/dlms/server/server.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import { CosemObjects } from '#sim/cosem-objects.ts';
import { hurriedClock } from '../support/hurried-clock.ts';

const clock = hurriedClock(20);
const ADDRESS = { client: 16, logical: 1, physical: 17 } as const;
const NAME = { classId: 1, instanceId: obisFrom('0-0:42.0.0'), attributeId: 2 };
const PASSWORD = bytesFromLatin1('12345678');

interface Line {
  readonly link: Link;
  /** What the line was told to change to. */
  readonly changes: string[];
  /** Associations that were asked for. */
  readonly asked: string[];
}

interface LineOptions {
  readonly echoes?: boolean;
  readonly password?: Uint8Array;
  readonly refusesFormat?: boolean;
}

/** A serial line with a meter behind an optical head: mode E, then HDLC at the new rate. */
function opticalLine(options: LineOptions = {}): Line {
  const changes: string[] = [];
  const asked: string[] = [];
  const meter = meterOf(options);
  let text = '';
  let handler: StreamHandler | undefined;
  const say = (bytes: Uint8Array) => setImmediate(() => handler?.chunk(bytes));
  const heard = (bytes: Uint8Array): void => {
    if (changes.at(-1) === '9600 8N1') {
      for (const answer of meter.receive(bytes, 0).send) say(answer);
      return;
    }
    text += latin1FromBytes(bytes);
    if (!text.endsWith('\n')) return;
    asked.push(text);
    say(text.startsWith('/?') ? bytesFromLatin1('/ISk5\\2MT382-1000\r\n') : bytesFromLatin1(text));
    text = '';
  };
  const link: Link = {
    open(owner) {
      setImmediate(() => {
        handler = owner.up({
          peer: 'head',
          send(bytes) {
            if (options.echoes === true) say(bytes);
            heard(bytes);
          },
          setLine(rate, format) {
            changes.push(`${rate} ${format}`);
            if (options.refusesFormat !== true) return Promise.resolve();
            return Promise.reject(new Error('no such rate'));
          },
          reset: () => setImmediate(() => handler?.down()),
        });
      });
    },
    close: () => Promise.resolve(),
  };
  return { link, changes, asked };
}

function meterOf({ password }: LineOptions): DlmsServer {
  const server = new DlmsServer({
    link: new HdlcServerLink({ server: { upper: 1, lower: 17, length: 2 } }),
    objects: new CosemObjects({ clock, deviceName: 'NRM1', profileRows: 1 }),
    mechanismName: password === undefined ? MECHANISM.lowest : MECHANISM.low,
    ...(password === undefined ? {} : { secret: password }),
  });
  server.start(0);
  return server;
}

function sessionOver({ link }: Line): MeterSession {
  const meterLink = () => meterLinkOf({ ...ADDRESS, framing: 'hdlc', mayEcho: true, signOn: {} });
  const authenticator = { mechanismName: MECHANISM.lowest };
  const connect = () => new DlmsClient({ link: meterLink(), referencing: 'LN', authenticator });
  return openMeterSession({ link, connect, clock });
}

for (const echoes of [false, true]) {
  const head = echoes ? 'that echoes' : 'without echo';
  test(`a session signs on at a head ${head}, and the line follows the meter`, async () => {
    const line = opticalLine({ echoes });
    const session = sessionOver(line);
    const name = await session.run(get(NAME));
    assert.deepEqual(name.value, bytesFromLatin1('NRM1'));
    assert.deepEqual(line.changes, ['300 7E1', '9600 8N1']);
    assert.deepEqual(line.asked, ['/?!\r\n', '\x06252\r\n']);
    await session.close();
  });
}

test('a port that cannot have the rate ends the stream with the reason', async () => {
  const session = sessionOver(opticalLine({ refusesFormat: true }));
  await assert.rejects(session.run(get(NAME)), { message: 'no such rate' });
  await session.close();
});

test('a refused association refuses all that is asked later, and is not tried again', async () => {
  const line = opticalLine({ password: PASSWORD });
  const session = sessionOver(line);
  await assert.rejects(session.run(get(NAME)), { code: 'association-refused' });
  await assert.rejects(session.run(get(NAME)), { code: 'association-refused' });
  assert.equal(line.asked.length, 2);
  await session.close();
});
