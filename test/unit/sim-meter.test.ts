import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import type { MeterSession } from '#acquisition/meter-session.ts';
import { toHex } from '#bytes/hex.ts';
import type { Link } from '#link/link.ts';
import { openLink } from '#link/open.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { readProfile } from '#protocol/cosem/read-profile.ts';
import { readRegister } from '#protocol/cosem/register.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { act, get } from '#protocol/dlms/procedure.ts';
import { withoutEcho } from '#protocol/echo.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import { around } from '#sim/cosem/around.ts';
import type { Faults } from '#sim/cosem/faults.ts';
import { faultsFrom, faulty } from '#sim/cosem/faults.ts';
import { meterDescriptionFrom } from '#sim/cosem/read-description.ts';
import { serve } from '#sim/cosem/serve.ts';
import type { MeterFraming } from '#sim/cosem/simulated-meter.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { CosemObjects } from '#sim/cosem-objects.ts';
import { Chance } from '#sim/life/chance.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineClock } from '#system/clock.ts';
import { endOf, runNormctl, startNormctl } from '../support/command-line.ts';
import { PORTS, securityOf, sessionWith, tcpLink, timesIn } from '../support/simulated-meter.ts';

const clock = machineClock;
const USUAL = meterDescriptionFrom('');
const VOLTAGE = obisFrom('1-0:32.7.0*255');

interface Started {
  readonly framing: MeterFraming;
  readonly faults?: Faults;
  readonly kind?: 'tcp-listen' | 'udp';
  /** Takes what the meter says, and what of it goes over the line. */
  readonly said?: Buffer[];
  readonly heard?: Buffer[];
}

/** The link, with a copy of all that is sent over it. */
function noting(link: Link, sent: Buffer[]): Link {
  return around(link, () => ({
    send(bytes, on) {
      sent.push(Buffer.from(bytes));
      on(bytes);
    },
    receive: (bytes, on) => on(bytes),
  }));
}

/** The usual meter, at a free port of this machine for as long as `use` takes. */
async function withMeter(
  { framing, faults = faultsFrom(''), kind = 'tcp-listen', said = [], heard = [] }: Started,
  use: (port: number) => Promise<void>,
): Promise<void> {
  const meter = new SimulatedMeter({ clock, description: USUAL, counterLeap: faults.counter });
  const chance = new Chance('sim-meter');
  const line = noting(openLink({ kind, port: 0 }, PORTS), heard);
  const link = noting(faulty(line, faults, { clock, chance }), said);
  try {
    await use((await serve({ link, connect: () => meter.connection(framing), clock })) ?? 0);
  } finally {
    await link.close();
  }
}

async function ending(session: MeterSession, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await session.close();
  }
}

for (const framing of ['wrapper', 'hdlc'] as const) {
  test(`each client of the usual meter proves itself over ${framing}, and reads`, async () => {
    await withMeter({ framing }, async (port) => {
      for (const description of USUAL.associations) {
        const { client, mechanism } = description;
        const session = sessionWith(
          tcpLink(port),
          () => meterLinkOf({ framing, client, logical: 1 }),
          () => securityOf(description, 1),
        );
        await ending(session, async () => {
          const { unit, value } = await session.run(readRegister(3, VOLTAGE));
          assert.equal(unit, 'V', mechanism);
          assert.match(String(value), /^230\.\d$/);
          const opening = session.run(switching());
          if (description.rights === 'all') await opening;
          else await assert.rejects(opening, { code: 'access-denied' });
        });
      }
    });
  });
}

function switching(): ReturnType<typeof act> {
  const method = { classId: 70, instanceId: obisFrom('0-0:96.3.10*255'), methodId: 1 };
  return act({ method, parameters: { type: 'integer', value: 0 } });
}

test('a meter on UDP answers whoever asks', async () => {
  await withMeter({ framing: 'wrapper', kind: 'udp' }, async (port) => {
    const asked = await new Promise<Uint8Array>((resolve, reject) => {
      void import('node:dgram').then(({ createSocket }) => {
        const socket = createSocket('udp4');
        socket.on('error', reject);
        socket.on('message', (bytes) => {
          socket.close();
          resolve(bytes);
        });
        socket.send(AARQ, port, '127.0.0.1');
      });
    });
    assert.equal(asked[8], 0x61, 'an AARE behind the head of the wrapper');
  });
});

/** Of the public client, in the wrapper. */
const AARQ = Buffer.from(
  '000100100001001f601da109060760857405080101be10040e01000000065f1f0400001e1dffff',
  'hex',
);

test('a client whose counter is refused is told which one the meter wants', async () => {
  const description = USUAL.associations.find(({ mechanism }) => mechanism === 'high-gmac');
  assert.ok(description);
  await withMeter({ framing: 'wrapper', faults: faultsFrom('counter:500') }, async (port) => {
    const sessionFrom = (counter: number): MeterSession =>
      sessionWith(
        tcpLink(port),
        () => meterLinkOf({ framing: 'wrapper', client: 1, logical: 1 }),
        () => securityOf(description, counter),
      );
    const refused = sessionFrom(7);
    await ending(refused, async () => {
      await assert.rejects(refused.run(get(NAME)), /invocation-counter-error/);
    });
    const higher = sessionFrom(507);
    await ending(higher, async () => {
      assert.equal((await higher.run(get(NAME))).type, 'octet-string');
    });
  });
});

const NAME = { classId: 1, instanceId: obisFrom('0-0:42.0.0*255'), attributeId: 2 };

const BAD_LINES = ['noise:0.2', 'lost:0.2', 'fcs:0.15', 'echo', 'delay:5,noise:0.1,fcs:0.05'];

for (const bad of BAD_LINES) {
  test(`a profile is read whole over HDLC at a meter with ${bad}`, async () => {
    const [said, heard]: [Buffer[], Buffer[]] = [[], []];
    await withMeter({ framing: 'hdlc', faults: faultsFrom(bad), said, heard }, async (port) => {
      const session = sessionWith(tcpLink(port), patient, () => securityOf(PUBLIC, 1));
      await ending(session, async () => {
        const times: string[] = [];
        const logicalName = obisFrom('1-0:99.1.0*255');
        const part = { kind: 'entry', fromEntry: 1, toEntry: 60 } as const;
        await session.run(readProfile({ logicalName, part }), (told) => {
          times.push(...timesIn(told).map(toHex));
        });
        assert.equal(times.length, 60);
        assert.deepEqual([...new Set(times)].sort(), times);
      });
    });
    assert.notDeepEqual(Buffer.concat(heard), Buffer.concat(said), 'something was wrong with it');
  });
}

const PUBLIC = { client: 16, mechanism: 'lowest', suite: 0, rights: 'read' } as const;

/** Nobody waits long for a meter in the same process. */
function patient(): ApduLink {
  return withoutEcho(
    new HdlcClientLink({
      client: { upper: 16, length: 1 },
      server: { upper: 1, length: 1 },
      responseMs: 300,
      interOctetMs: 50,
      attempts: 10,
    }),
  );
}

test('a load profile grows by a row each period, up to its capacity', () => {
  const virtual = new VirtualClock();
  const objects = new CosemObjects({
    clock: virtual,
    deviceName: 'NRM1',
    profileRows: 2,
    profileCapacity: 4,
    profilePeriodS: 60,
  });
  const buffer = { classId: 7, instanceId: obisFrom('1-0:99.1.0*255'), attributeId: 2 };
  const lengths = [0, 60, 60, 60].map((seconds) => {
    virtual.advance(seconds * 1000);
    const served = objects.get(buffer);
    return 'data' in served && served.data.type === 'array' ? served.data.value.length : undefined;
  });
  assert.deepEqual(lengths, [2, 3, 4, 4]);
});

test('a description is refused with its line, and what is no fault is named', () => {
  const text = 'name: NRM1\nassociations:\n  - mechanism: low\n    client: 200\n';
  assert.throws(() => meterDescriptionFrom(text), { code: 'bad-meter', message: /line 4/ });
  assert.throws(() => meterDescriptionFrom('colour: red'), { code: 'bad-meter' });
  for (const word of ['noise', 'noise:2', 'thunder:1']) {
    assert.throws(() => faultsFrom(word), { code: 'usage' });
  }
});

test('normctl sim meter prints a meter, and is one until Ctrl-C', async () => {
  const printed = await runNormctl(['sim', 'meter', '--print']);
  assert.equal(printed.status, 0, printed.err);
  assert.deepEqual(meterDescriptionFrom(printed.out), USUAL);
  const child = startNormctl(['sim', 'meter', '--tcp', '0', '--json']);
  const lines = createInterface({ input: child.stdout });
  const listening = new Promise<number>((resolve) => {
    lines.on('line', (line) => {
      const { kind, port } = JSON.parse(line) as { kind?: string; port?: number };
      if (kind === 'listening' && port !== undefined) resolve(port);
    });
  });
  const port = await listening;
  const objects = await runNormctl(['meter', 'objects', '--tcp', `127.0.0.1:${port}`]);
  assert.match(objects.out, /^17 objects\n/);
  const taken = await runNormctl(['sim', 'meter', '--tcp', String(port)]);
  assert.match(taken.err, /^error address-in-use/);
  assert.equal(taken.status, 1);
  const ended = endOf(child);
  child.kill('SIGINT');
  assert.equal((await ended).status, 0);
});
