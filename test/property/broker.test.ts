import fc from 'fast-check';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { mqttDialer } from '#uplink/mqtt-session.ts';
import type { Session } from '#uplink/session.ts';
import { startScriptedBroker, welcome5 } from '../support/scripted-broker.ts';

/** Ends of a session that a broker can bring about by what it says. */
const ENDS: ReadonlySet<string> = new Set([
  'protocol-violation',
  'broker-flood',
  'connection-closed',
  'connection-reset',
]);

/** A packet of any type with a length that is true more often than not. */
const packet = fc
  .tuple(fc.nat(255), fc.uint8Array({ maxLength: 40 }), fc.option(fc.nat(255), { freq: 4 }))
  .map(([head, body, lie]) => Uint8Array.of(head, lie ?? body.length, ...body));
/** What brokers say, damaged in one place. */
const damaged = fc
  .tuple(
    fc.constantFrom<readonly number[]>(
      [0x20, 6, 0, 0, 3, 0x21, 0, 9],
      [0x40, 3, 0xee, 0xee, 0x87],
      [0x90, 4, 0xee, 0xee, 0, 1],
      [0xd0, 0],
      [0xe0, 6, 0x8b, 4, 0x1f, 0, 1, 0x61],
      [0x32, 7, 0, 1, 0x61, 0, 9, 0, 0x62],
      [0xf0, 2, 0x18, 0],
    ),
    fc.nat(8),
    fc.nat(255),
  )
  .map(([bytes, at, byte]) => Uint8Array.from(bytes.with(at % bytes.length, byte)));
const spoken = fc.array(fc.oneof(packet, damaged), { minLength: 1, maxLength: 8 });

test('whatever a broker says, it acknowledges nothing by it but what it names', async (context) => {
  let said: Uint8Array = new Uint8Array();
  let identifier = 0;
  const broker = await startScriptedBroker({
    welcome: () => welcome5(),
    answer: () => ({
      packets(id) {
        identifier = id;
        return said;
      },
      end: true,
    }),
  });
  context.after(() => broker.stop());
  await fc.assert(
    fc.asyncProperty(spoken, async (packets) => {
      said = Buffer.concat(packets);
      const session = await dial(broker.port);
      const answers: (string | undefined)[] = [];
      session.publish({ topic: 'up', payload: 'x' }, (refusal) => {
        answers.push(refusal?.code);
      });
      const { code, message } = await session.lost;
      assert.ok(ENDS.has(code) || said.includes(0xe0), `${code}: ${message}`);
      assert.match(message, /^[\x20-\x7e]{1,300}$/);
      if (answers.includes(undefined)) assert.ok(names(said, identifier), 'acknowledged');
    }),
  );
});

test('whatever a broker welcomes with, it is welcome or a typed refusal', async (context) => {
  let said: Uint8Array = new Uint8Array();
  const broker = await startScriptedBroker({ welcome: () => said, answer: () => 'hang-up' });
  context.after(() => broker.stop());
  const properties = fc.uint8Array({ maxLength: 30 }).map((bytes) => welcome5(...bytes));
  await fc.assert(
    fc.asyncProperty(fc.oneof(packet, damaged, properties), async (bytes) => {
      // A packet of no use behind it, so that nobody waits for the rest of a lying one.
      said = Buffer.concat([bytes, new Uint8Array(70_000)]);
      const ended = await dial(broker.port).then(
        ({ lost }) => lost,
        (error: unknown) => error,
      );
      if (ended instanceof Error) assert.ok(ended instanceof OperatingError, String(ended));
    }),
  );
});

function dial(port: number): Promise<Session> {
  return mqttDialer()({
    target: { host: '127.0.0.1', port, secure: false },
    clientId: 'gw-1',
    will: { topic: 'will', payload: '' },
    signal: AbortSignal.timeout(10_000),
  });
}

/** Whether a PUBACK of this packet may be among the bytes. */
function names(bytes: Uint8Array, identifier: number): boolean {
  const [high, low] = [identifier >> 8, identifier & 0xff];
  return bytes.some((byte, at) => {
    return byte >> 4 === 4 && bytes[at + 2] === high && bytes[at + 3] === low;
  });
}
