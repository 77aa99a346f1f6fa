import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { meterAccess } from '#acquisition/meter-access.ts';
import type { CounterSource, MeterAccessOptions } from '#acquisition/meter-access.ts';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import type { MeterSession } from '#acquisition/meter-session.ts';
import { failureOf } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import type { AssociationSettings } from '#identity/association-keys.ts';
import { PUBLIC } from '#identity/association-keys.ts';
import { CounterLedger, openCounterLedger } from '#identity/counter-ledger.ts';
import { MeterKeys } from '#identity/meter-keys.ts';
import type { MeterSecrets } from '#identity/meter-keys.ts';
import { ReservedCounters } from '#identity/reserved-counter.ts';
import { openLink } from '#link/open.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { get } from '#protocol/dlms/procedure.ts';
import { FRAME_COUNTER } from '#protocol/dlms/resynchronise.ts';
import { machineCiphers } from '#system/ciphers.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import type { FrameCounter } from '../support/frame-counter.ts';
import type { SecuredMeter } from '../support/secured-meter.ts';
import { KEYS, OUR_CLIENT, SERVER_TITLE, securedMeter } from '../support/secured-meter.ts';
import type { SimulatedAssociation } from '../support/secured-server.ts';

const TITLE = fromHex('4e524d0000000001');
const NAME = { classId: 1, instanceId: obisFrom('0-0:42.0.0'), attributeId: 2 };
const NAME_HEX = toHex(new TextEncoder().encode('NRM1'));
const SECRET = new TextEncoder().encode('a long shared secret');
const CIPHERED: AssociationSettings = {
  ...PUBLIC,
  mechanism: 'high-gmac',
  ciphering: { services: 'glo', level: 'authenticated-and-encrypted', signed: false },
  authentication: 'require',
};
const GMAC: SimulatedAssociation = {
  mechanism: 'high-gmac',
  ciphering: { level: 'authenticated-and-encrypted' },
};
const BY_PUBLIC: CounterSource = { client: 16, object: FRAME_COUNTER };

interface Asking extends Partial<Pick<MeterAccessOptions, 'counterSource'>> {
  readonly settings?: AssociationSettings;
  readonly secrets?: Partial<MeterSecrets>;
}

/** Sessions with a meter, from a ledger in a file; each call of `life` is another process. */
function client(context: TestContext, { port }: SecuredMeter, asking: Asking = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'normd-secured-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const ledger = join(folder, 'counters');
  const secrets = { name: 'meter', suite: 0 as const, ...KEYS, systemTitle: SERVER_TITLE };
  const life = (): (() => MeterSession) =>
    meterAccess({
      settings: asking.settings ?? CIPHERED,
      keys: new MeterKeys({ ...secrets, ...asking.secrets }),
      clientTitle: TITLE,
      client: OUR_CLIENT,
      counters: new ReservedCounters(openCounterLedger(ledger)),
      counterSource: asking.counterSource ?? BY_PUBLIC,
      openLink: () =>
        openLink(
          { kind: 'tcp', host: '127.0.0.1', port },
          { clock: machineClock, entropy: machineEntropy },
        ),
      apduLink: (asks) => meterLinkOf({ framing: 'wrapper', client: asks, logical: 1 }),
      clock: machineClock,
      ciphers: machineCiphers,
    });
  return { life };
}

/** The meter's name in hex and the mark, or the code of the failure. */
async function nameBy(open: () => MeterSession): Promise<string> {
  const session = open();
  try {
    const { value } = await session.run(get(NAME));
    assert.ok(value instanceof Uint8Array);
    return `${toHex(value)}${session.unverified ? ' unverified' : ''}`;
  } catch (error) {
    return failureOf(error).code;
  } finally {
    await session.close();
  }
}

for (const mechanism of ['low', 'high', 'high-md5', 'high-sha1', 'high-sha256'] as const) {
  test(`mechanism ${mechanism} has its secret from the keyring`, async (context) => {
    const secret = mechanism === 'high' ? SECRET.subarray(0, 16) : SECRET;
    const meter = await securedMeter(context, { association: { mechanism, secret } });
    const settings = { ...PUBLIC, mechanism };
    const right = client(context, meter, { settings, secrets: { secret } });
    assert.equal(await nameBy(right.life()), `${NAME_HEX} unverified`, 'there are keys');
    const wrong = { secret: secret.with(0, 1) };
    const other = client(context, meter, { settings, secrets: wrong });
    const code = mechanism === 'low' ? 'association-refused' : 'authentication-failed';
    assert.equal(await nameBy(other.life()), code);
  });
}

test('mechanism 7 takes both pairs from the keyring', async (context) => {
  const [ours, meters] = [
    machineCiphers.generateKeyPair('P-256'),
    machineCiphers.generateKeyPair('P-256'),
  ];
  const signatures = { own: meters, peer: ours.publicKey };
  const meter = await securedMeter(context, {
    association: { mechanism: 'high-ecdsa', signatures },
    suite: 1,
  });
  const settings = { ...PUBLIC, mechanism: 'high-ecdsa' } as const;
  const secrets = { suite: 1, signing: ours.privateKey, meterSigning: meters.publicKey } as const;
  const { life } = client(context, meter, { settings, secrets });
  assert.equal(await nameBy(life()), `${NAME_HEX} unverified`);
});

for (const services of ['glo', 'ded', 'general-glo', 'general-ded'] as const) {
  for (const level of ['authenticated', 'encrypted', 'authenticated-and-encrypted'] as const) {
    test(`${services}, ${level}: what is read is marked unless proven`, async (context) => {
      const association = { mechanism: 'high-gmac', ciphering: { level } } as const;
      const meter = await securedMeter(context, { association });
      const bare = level === 'encrypted';
      const settings = {
        ...CIPHERED,
        ciphering: { services, level, signed: false },
        authentication: bare ? 'if-key' : 'require',
      } as const;
      const { life } = client(context, meter, { settings });
      assert.equal(await nameBy(life()), bare ? `${NAME_HEX} unverified` : NAME_HEX);
    });
  }
}

test('an association that stands already is used without asking for it', async (context) => {
  const association = { ...GMAC, mechanism: 'lowest', preEstablishedFor: TITLE } as const;
  const meter = await securedMeter(context, { association });
  const settings = { ...CIPHERED, mechanism: 'lowest', preEstablished: true } as const;
  const { life } = client(context, meter, { settings });
  assert.equal(await nameBy(life()), NAME_HEX);
});

test('the policy decides what is read unproven, and it is marked', async (context) => {
  const meter = await securedMeter(context, { association: GMAC });
  const never = { ...CIPHERED, authentication: 'never' } as const;
  assert.equal(
    await nameBy(client(context, meter, { settings: never }).life()),
    `${NAME_HEX} unverified`,
  );
  const clear = await securedMeter(context, { association: { mechanism: 'lowest' } });
  const required = { ...PUBLIC, authentication: 'require' } as const;
  const { life } = client(context, clear, { settings: required });
  assert.throws(life, { code: 'not-authenticated' });
  assert.deepEqual(clear.callers, [], 'nobody called');
});

test('a missing key and a wrong one each have a code', async (context) => {
  const meter = await securedMeter(context, { association: GMAC });
  const life = (secrets: Partial<MeterSecrets>) => client(context, meter, { secrets }).life();
  assert.throws(() => life({ encryption: undefined as never }), { code: 'key-missing' });
  const other = new Uint8Array(16).fill(7);
  assert.equal(await nameBy(life({ encryption: other })), 'wrong-key');
});

test('a counter is read once, and goes on behind every death', async (context) => {
  const meter = await securedMeter(context, { association: GMAC, counter: { last: 7000 } });
  const { life } = client(context, meter);
  for (let deaths = 0; deaths < 4; deaths += 1) {
    const open = life();
    assert.equal(await nameBy(open), NAME_HEX);
    assert.equal(await nameBy(open), NAME_HEX);
  }
  assert.deepEqual(meter.callers, [16, ...Array.from({ length: 8 }, () => 1)]);
  const [first = 0] = meter.counter.taken;
  assert.equal(first, 7001);
  assert.ok(meter.counter.last - first > 3 * 1000, 'what a death leaves is skipped');
});

for (const tells of [true, false]) {
  const how = tells ? 'by its refusal' : 'by a public client';
  test(`a refused counter is brought into step once, ${how}`, async (context) => {
    const meter = await securedMeter(context, { association: GMAC, counter: { tells } });
    const { life } = client(context, meter, tells ? { counterSource: { beginAt: 1 } } : {});
    const open = life();
    assert.equal(await nameBy(open), NAME_HEX);
    meter.counter.last = 50_000;
    meter.callers.length = 0;
    assert.equal(await nameBy(open), NAME_HEX);
    assert.deepEqual(meter.callers, tells ? [1, 1] : [1, 16, 1]);
    assert.ok(meter.counter.taken.includes(50_001));
  });
}

test('a meter that goes on refusing is asked once more, not for ever', async (context) => {
  const counter: FrameCounter = { last: 0, taken: [], tells: true };
  const meter = await securedMeter(context, { association: GMAC, counter });
  const refusing = { ...meter.counter };
  const { life } = client(context, meter, { counterSource: { beginAt: 1 } });
  Object.defineProperty(meter.counter, 'last', {
    get: () => (refusing.last += 2000), // it always wants more than it was given
    set: () => undefined,
  });
  const open = life();
  assert.equal(await nameBy(open), 'counter-out-of-step');
  assert.deepEqual(meter.callers, [1, 1]);
  assert.equal(await nameBy(open), 'counter-out-of-step');
  assert.deepEqual(meter.callers, [1, 1, 1], 'nothing has succeeded meanwhile');
});

test('a wrong secret is not tried twice in search of the counter', async (context) => {
  const ciphering = { level: 'authenticated-and-encrypted' } as const;
  const association = { mechanism: 'low', secret: SECRET, ciphering } as const;
  const meter = await securedMeter(context, { association });
  const settings = { ...CIPHERED, mechanism: 'low' } as const;
  const { life } = client(context, meter, { settings, secrets: { secret: SECRET.with(0, 1) } });
  assert.equal(await nameBy(life()), 'association-refused');
  assert.deepEqual(meter.callers, [16, 1, 16]);
});

test('a leap that nobody can have used up is not believed', async (context) => {
  const meter = await securedMeter(context, { association: GMAC });
  const open = client(context, meter, { counterSource: { beginAt: 1 } }).life();
  assert.equal(await nameBy(open), NAME_HEX);
  meter.counter.last = 0xffff_0000;
  assert.equal(await nameBy(open), 'counter-leap');
});

test('two sources of one meter share its counter', () => {
  const counters = new ReservedCounters(new CounterLedger(undefined, () => Promise.resolve()));
  const [one, other] = [counters.of(TITLE, KEYS.encryption), counters.of(TITLE, KEYS.encryption)];
  assert.equal(one, other);
  assert.notEqual(one, counters.of(SERVER_TITLE, KEYS.encryption));
});
