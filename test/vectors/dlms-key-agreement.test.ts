import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import type { Ciphers } from '#protocol/ciphers.ts';
import { cipheringOf } from '#identity/ciphering.ts';
import { MeterKeys } from '#identity/meter-keys.ts';
import { GENERAL_SIGNING, signingProtection } from '#protocol/dlms/general-signing.ts';
import { headerOf } from '#protocol/dlms/general-header.ts';
import { agreeStatic, derivedKey } from '#protocol/dlms/key-agreement.ts';
import { GENERAL_CIPHERING } from '#protocol/dlms/key-info.ts';
import { keyedProtection } from '#protocol/dlms/keyed-protection.ts';
import type { Protection } from '#protocol/dlms/protection.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import { keyPairOf, machineCiphers } from '#system/ciphers.ts';
import type { Pairs, Side } from '../support/keyed-sides.ts';
import {
  CLIENT,
  CLIENT_TITLE,
  KEYS,
  PAIRS,
  PEER_SIGNING,
  SERVER,
  SERVER_TITLE,
  SIGNING,
  counter,
  optionsOf,
} from '../support/keyed-sides.ts';
import { mutated } from '../support/mutated.ts';
import { seeded } from '../support/seeded.ts';
import { VECTORS, withoutVectors } from '../support/vectors.ts';

type Row = Readonly<Record<string, string>> & { readonly id: string };

function rowsOf(file: string): readonly Row[] {
  const text = readFileSync(join(VECTORS, 'dlms/standard', file), 'utf8');
  return (JSON.parse(text) as { readonly vectors: readonly Row[] }).vectors;
}

const ROWS = withoutVectors === false ? rowsOf('greenbook.json') : [];

function bytesIn(id: string, field: string): Uint8Array {
  const text = ROWS.find((row) => row.id === id)?.[field];
  assert.ok(text !== undefined, `${id} has ${field}`);
  return fromHex(text);
}

const TRANSACTION = fromHex('0102030405060708');

test('one-pass: secret and key are those of the book', { skip: withoutVectors }, () => {
  const ephemeral = bytesIn('gb-onepass-client-ephemeral-keypair', 'private');
  const pair = keyPairOf('P-256', ephemeral);
  const secret = machineCiphers.agree(pair, SERVER.publicKey);
  assert.equal(toHex(secret), toHex(bytesIn('gb-c2-kdf-client', 'z')));
  assert.deepEqual(machineCiphers.agree(SERVER, pair.publicKey), secret);
  const back = bytesIn('gb-onepass-server-eph-signature', 'message');
  const backSecret = machineCiphers.agree(CLIENT, back);
  assert.equal(toHex(backSecret), toHex(bytesIn('gb-c2-kdf-server', 'z')));
  for (const id of ['gb-c2-kdf-client', 'gb-c2-kdf-server']) {
    const parties = [bytesIn(id, 'partyU'), bytesIn(id, 'partyV')] as const;
    const key = derivedKey('P-256', bytesIn(id, 'z'), ...parties, machineCiphers);
    assert.equal(toHex(key), toHex(bytesIn(id, 'ek')), id);
  }
});

test(
  'static unified: the key of the book has the transaction in it',
  { skip: withoutVectors },
  () => {
    const header = headerOf(TRANSACTION, CLIENT_TITLE, SERVER_TITLE);
    const expected = toHex(bytesIn('gb-c3-static-unified-access-request', 'ek'));
    const byClient = { agreement: CLIENT, peerAgreement: SERVER.publicKey };
    const byServer = { agreement: SERVER, peerAgreement: CLIENT.publicKey };
    for (const keys of [byClient, byServer]) {
      assert.equal(toHex(agreeStatic(keys, header, machineCiphers).key), expected);
    }
  },
);

const ONE_PASS = 'gb-c2-onepass-access-request';

test(
  'the ACCESS request of the book is sealed with the same bytes',
  { skip: withoutVectors },
  () => {
    const ephemeral = keyPairOf('P-256', bytesIn('gb-onepass-client-ephemeral-keypair', 'private'));
    const signature = bytesIn('gb-onepass-client-eph-signature', 'signature');
    const ciphers: Ciphers = {
      ...machineCiphers,
      generateKeyPair: () => ephemeral,
      randomBytes: () => TRANSACTION,
      sign: () => signature,
    };
    const sealed = clientOfSource(ciphers).protect(bytesIn(ONE_PASS, 'plaintext'));
    const { cipheredContent } = GENERAL_CIPHERING.decode(sealed);
    const body = bytesIn(ONE_PASS, 'ciphertextAndTag');
    // No additional data that the standard names gives the tag that is printed there.
    assert.equal(toHex(cipheredContent.subarray(5, -12)), toHex(body.subarray(0, -12)));
    assert.equal(sealed.length, 401);
    const point = toHex(ephemeral.publicKey);
    const keyInfo = `010201018180${point}${toHex(signature)}`;
    const head = `dd08${toHex(TRANSACTION)}08${toHex(CLIENT_TITLE)}08${toHex(SERVER_TITLE)}0000`;
    assert.ok(toHex(sealed).startsWith(`${head}${keyInfo}81eb3100000000`));
  },
);

/** As a source with `services: one-pass` has it, with what a keyring holds of the book's meter. */
function clientOfSource(ciphers: Ciphers): Protection {
  const keys = new MeterKeys({
    name: 'book',
    suite: 1,
    systemTitle: SERVER_TITLE,
    ...KEYS,
    signing: SIGNING.privateKey,
    agreement: CLIENT.privateKey,
    meterAgreement: SERVER.publicKey,
    meterSigning: PEER_SIGNING.publicKey,
  });
  const settings = { services: 'one-pass', level: LEVEL, signed: false } as const;
  const policy = 'require';
  const counters = counter();
  const parts = {
    ownTitle: CLIENT_TITLE,
    policy,
    ciphers,
    counters,
    dedicated: undefined,
  } as const;
  return cipheringOf(settings, keys, parts);
}

const LEVEL = 'authenticated-and-encrypted';

/** Behind tag, transaction, two titles, no date-time and no other information. */
const KEY_INFO_PRESENT = 30;
const WAYS = ['unicast', 'broadcast', 'wrapped', 'one-pass', 'static-unified'] as const;
const APDU = fromHex('C001C100080000010000FF0200');
const SUITE_2: Pairs = {
  clientSigning: machineCiphers.generateKeyPair('P-384'),
  serverSigning: machineCiphers.generateKeyPair('P-384'),
  client: machineCiphers.generateKeyPair('P-384'),
  server: machineCiphers.generateKeyPair('P-384'),
};

for (const way of WAYS) {
  test(`general-ciphering, ${way}: both directions, no repetition, no reflection`, () => {
    const client = keyedProtection(optionsOf('client', way));
    const server = keyedProtection(optionsOf('server', way));
    for (const [from, to] of [
      [client, server],
      [server, client],
      [client, server],
    ] as const) {
      const sealed = from.protect(APDU);
      assert.deepEqual({ ...to.unprotect(sealed) }, { apdu: view(APDU), verified: true });
      assert.equal(
        codeOf(() => to.unprotect(sealed)),
        'replayed',
      );
      assert.equal(
        codeOf(() => from.unprotect(sealed)),
        'bad-system-title',
      );
    }
  });

  test(`general-ciphering, ${way}: what was altered anywhere is refused, never thrown over`, () => {
    const sealed = keyedProtection(optionsOf('client', way)).protect(APDU);
    const opened = { ...optionsOf('server', way) };
    for (const at of sealed.keys()) {
      if (at === KEY_INFO_PRESENT) continue; // any value but 0 says so
      const altered = sealed.map((byte, index) => (index === at ? byte ^ 0x55 : byte));
      const server = keyedProtection(opened);
      assert.throws(() => server.unprotect(altered), OperatingError, `byte ${at}`);
      assert.throws(() => server.unprotect(sealed.subarray(0, at)), OperatingError, `${at} bytes`);
    }
  });
}

for (const way of ['one-pass', 'static-unified'] as const) {
  test(`general-ciphering, ${way}, with P-384 and AES-256`, () => {
    const client = keyedProtection(optionsOf('client', way, SUITE_2));
    const server = keyedProtection(optionsOf('server', way, SUITE_2));
    const sealed = client.protect(APDU);
    assert.deepEqual({ ...server.unprotect(sealed) }, { apdu: view(APDU), verified: true });
  });
}

for (const way of ['wrapped', 'one-pass', 'static-unified'] as const) {
  test(`general-ciphering, ${way}: an answer of another day is none, whatever its key`, () => {
    const asked = keyedProtection(optionsOf('client', way));
    const server = keyedProtection(optionsOf('server', way));
    server.unprotect(asked.protect(APDU));
    const recorded = server.protect(APDU);
    assert.ok(asked.unprotect(recorded).verified);
    const today = keyedProtection(optionsOf('client', way));
    assert.equal(
      codeOf(() => today.unprotect(recorded)),
      'replayed',
    );
    server.unprotect(today.protect(APDU));
    assert.equal(
      codeOf(() => today.unprotect(recorded)),
      'replayed',
    );
    assert.ok(today.unprotect(server.protect(APDU)).verified);
  });
}

test('an ephemeral key that another signed is not authentic', () => {
  const forger = { ...PAIRS, clientSigning: machineCiphers.generateKeyPair('P-256') };
  const sealed = keyedProtection(optionsOf('client', 'one-pass', forger)).protect(APDU);
  const server = keyedProtection(optionsOf('server', 'one-pass'));
  assert.equal(
    codeOf(() => server.unprotect(sealed)),
    'not-authentic',
  );
});

test('a master key that does not fit is a wrong key, a missing one is missing', () => {
  const sealed = keyedProtection(optionsOf('client', 'wrapped')).protect(APDU);
  const { master, ...without } = optionsOf('server', 'wrapped');
  assert.ok(master);
  const wrong = keyedProtection({ ...without, master: new Uint8Array(16) });
  assert.equal(
    codeOf(() => wrong.unprotect(sealed)),
    'wrong-key',
  );
  assert.equal(
    codeOf(() => keyedProtection(without).unprotect(sealed)),
    'key-missing',
  );
});

test(
  'the signed APDU of another client is signed with the same bytes',
  { skip: withoutVectors },
  () => {
    const file = join(VECTORS, 'dlms/interop/j-general-signing-apdu.json');
    const { hex, keys, derived } = JSON.parse(readFileSync(file, 'utf8')) as SigningVector;
    const own = keyPairOf('P-256', fromHex(keys['clientPrivate'] ?? ''));
    const peerTitle = fromHex(derived['recipient'] ?? '');
    const ciphers: Ciphers = {
      ...machineCiphers,
      randomBytes: () => TRANSACTION,
      sign: () => fromHex(derived['signature'] ?? ''),
    };
    const inner = innerOf(CLIENT_TITLE, keys);
    const policy = 'require';
    const options = { ownTitle: CLIENT_TITLE, peerTitle, own, policy, ciphers, inner } as const;
    const plaintext = fromHex(derived['plaintext'] ?? '');
    const signed = signingProtection(options).protect(plaintext);
    assert.equal(toHex(signed), hex.toLowerCase());
    const server = (peer: Uint8Array): Protection =>
      signingProtection({
        ownTitle: peerTitle,
        peerTitle: CLIENT_TITLE,
        own: PEER_SIGNING,
        peer,
        policy,
        ciphers: machineCiphers,
        inner: innerOf(peerTitle, keys),
      });
    const opened = server(own.publicKey).unprotect(signed, CLIENT_TITLE);
    assert.deepEqual({ ...opened }, { apdu: view(plaintext), verified: true });
    const stranger = server(SIGNING.publicKey);
    assert.equal(
      codeOf(() => stranger.unprotect(signed, CLIENT_TITLE)),
      'bad-signature',
    );
    const { content, ...rest } = GENERAL_SIGNING.decode(signed);
    for (const at of content.keys()) {
      const altered = content.map((byte, index) => (index === at ? byte ^ 1 : byte));
      const forged = GENERAL_SIGNING.encode({ ...rest, content: altered });
      const attempt = (): unknown => server(own.publicKey).unprotect(forged, CLIENT_TITLE);
      assert.equal(codeOf(attempt), 'bad-signature', `byte ${at}`);
    }
  },
);

interface SigningVector {
  readonly hex: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly derived: Readonly<Record<string, string>>;
}

function innerOf(ownTitle: Uint8Array, keys: Readonly<Record<string, string>>): Protection {
  return gloDedProtection({
    suite: 1,
    ownTitle,
    keys: { encryption: fromHex(keys['guek'] ?? ''), authentication: fromHex(keys['gak'] ?? '') },
    policy: 'require',
    level: 'authenticated-and-encrypted',
    form: 'service-specific',
    cipher: machineCiphers.aesGcm,
    counters: counter(),
  });
}

/** Glo-ciphering and every kind of key information, and a signature around one. */
function everyProtection(): readonly (readonly [Protection, Protection])[] {
  const both = (make: (side: Side) => Protection) => [make('client'), make('server')] as const;
  return [
    ...WAYS.map((way) => both((side) => keyedProtection(optionsOf(side, way)))),
    ...(['service-specific', 'general'] as const).map((form) =>
      both((side) => gloDedProtection({ ...optionsOf(side, 'unicast'), form })),
    ),
    both((side) =>
      signingProtection({
        ...optionsOf(side, 'unicast'),
        own: side === 'client' ? SIGNING : PEER_SIGNING,
        peer: (side === 'client' ? PEER_SIGNING : SIGNING).publicKey,
        inner: gloDedProtection({ ...optionsOf(side, 'unicast'), form: 'general' }),
      }),
    ),
  ];
}

test('whatever is made of a ciphered APDU on its way, nothing but typed errors comes of it', () => {
  const entropy = seeded(11);
  const random = (): number => entropy.fraction();
  for (const [client, server] of everyProtection()) {
    const sealed = client.protect(APDU);
    for (let round = 0; round < ROUNDS; round += 1) {
      const bytes = mutated(sealed, random);
      try {
        const { apdu, verified } = server.unprotect(bytes, CLIENT_TITLE);
        assert.ok(!verified || toHex(apdu) === toHex(APDU), toHex(bytes));
      } catch (error) {
        assert.ok(error instanceof OperatingError, String(error));
      }
    }
  }
});

const ROUNDS = 400;

function codeOf(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    return failureOf(error).code;
  }
  return 'nothing thrown';
}

/** As OpenSSL returns bytes. */
function view(bytes: Uint8Array): Uint8Array {
  return Buffer.from(bytes);
}
