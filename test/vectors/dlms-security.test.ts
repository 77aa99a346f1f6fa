import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import type { Ciphers } from '#protocol/ciphers.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import type { HighMechanism } from '#protocol/dlms/hls.ts';
import { highAuthenticator, serverAuthenticator } from '#protocol/dlms/hls.ts';
import type { InvocationCounters } from '#protocol/dlms/invocation-counter.ts';
import type { Authenticator } from '#protocol/dlms/protection.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import { keyPairOf, machineCiphers } from '#system/ciphers.ts';
import { clientOf } from '../support/recorded-client.ts';
import { mechanismOf } from '../support/recorded-entropy.ts';
import type { Session } from '../support/sessions.ts';
import { session, sessions } from '../support/sessions.ts';
import { VECTORS, withoutVectors } from '../support/vectors.ts';

type Row = Readonly<Record<string, string>> & { readonly id: string };

const ROWS: readonly Row[] =
  withoutVectors === false
    ? (
        JSON.parse(readFileSync(join(VECTORS, 'dlms/standard/greenbook.json'), 'utf8')) as {
          readonly vectors: readonly Row[];
        }
      ).vectors
    : [];

function bytesIn(id: string, field: string): Uint8Array {
  const text = ROWS.find((row) => row.id === id)?.[field];
  assert.ok(text !== undefined, `${id} has ${field}`);
  return fromHex(text);
}

function numbered(first: number): InvocationCounters {
  let next = first;
  return {
    next() {
      next += 1;
      return next - 1;
    },
  };
}

/** Everything of the machine but entropy and signatures. */
function ciphersWith(challenge: Uint8Array, signature?: Uint8Array): Ciphers {
  const signing = signature === undefined ? {} : { sign: () => signature };
  return { ...machineCiphers, randomBytes: () => challenge, ...signing };
}

const LEVELS = [
  ['gb-get-auth-only', 'authenticated'],
  ['gb-get-enc-only', 'encrypted'],
  ['gb-get-auth-enc', 'authenticated-and-encrypted'],
  ['gb-glo-initiate-request', 'authenticated-and-encrypted'],
] as const;

for (const [id, level] of withoutVectors === false ? LEVELS : []) {
  test(`${id}: a protection seals it as the book does, and opens it`, () => {
    const title = bytesIn(id, 'systemTitle');
    const authentication = level === 'encrypted' ? {} : { authentication: bytesIn(id, 'ak') };
    const options = {
      suite: 0,
      keys: { encryption: bytesIn(id, 'ek'), ...authentication },
      policy: 'if-key',
      level,
      form: 'service-specific',
      cipher: machineCiphers.aesGcm,
      counters: numbered(0x1234567),
    } as const;
    const client = gloDedProtection({ ...options, ownTitle: title });
    const apdu = client.protect(bytesIn(id, 'plaintext'));
    assert.equal(toHex(apdu), toHex(bytesIn(id, 'apdu')));
    const server = gloDedProtection({ ...options, ownTitle: new Uint8Array(8) });
    const { apdu: opened, verified } = server.unprotect(apdu, title);
    assert.equal(toHex(opened), toHex(bytesIn(id, 'plaintext')));
    assert.equal(verified, level !== 'encrypted');
  });
}

test(
  'the mechanism 5 of the book, as the client and as the server',
  { skip: withoutVectors },
  () => {
    const keys = {
      encryption: bytesIn('gb-hls5-client', 'ek'),
      authentication: bytesIn('gb-hls5-client', 'ak'),
    };
    const mechanism = (first: number): HighMechanism => {
      return { name: 'high-gmac', suite: 0, keys, counters: numbered(first) };
    };
    const clientTitle = bytesIn('gb-hls5-client', 'systemTitle');
    const serverTitle = bytesIn('gb-hls5-server', 'systemTitle');
    const clientChallenge = bytesIn('gb-hls5-server', 'CtoS');
    const serverChallenge = bytesIn('gb-hls5-client', 'StoC');
    const client = highAuthenticator({
      mechanism: mechanism(1),
      clientTitle,
      ciphers: ciphersWith(clientChallenge),
    });
    const server = serverAuthenticator({
      mechanism: mechanism(0x1234567),
      serverTitle,
      ciphers: ciphersWith(serverChallenge),
    });
    const proof = client.high?.reply(serverChallenge, serverTitle) ?? new Uint8Array(0);
    assert.equal(toHex(proof), toHex(bytesIn('gb-hls5-client', 'result')));
    assert.equal(server.high?.judge(proof, clientChallenge, clientTitle), undefined);
    const answer = server.high?.reply(clientChallenge, clientTitle) ?? new Uint8Array(0);
    assert.equal(toHex(answer), toHex(bytesIn('gb-hls5-server', 'result')));
    assert.equal(client.high?.judge(answer, serverChallenge, serverTitle), undefined);
  },
);

/** Sessions in which both sides proved themselves with a high mechanism. */
const PROVEN = sessions().filter(({ derived }) => derived['fCtoS_ok'] === true);

for (const recorded of PROVEN) {
  const { clientTitle, serverTitle, CtoS, StoC, fStoC, fCtoS } = derivedOf(recorded);
  const clientOfIt = (options: { readonly toleratesReflection?: boolean } = {}): Authenticator =>
    highAuthenticator({
      mechanism: mechanismOf(recorded, 'client', numbered(counterIn(fStoC))),
      clientTitle,
      ciphers: ciphersWith(CtoS, fStoC),
      ...options,
    });

  test(`${recorded.id}: both sides prove themselves with what they sent`, () => {
    const { high } = clientOfIt({ toleratesReflection: true });
    assert.ok(high);
    assert.equal(toHex(high.reply(StoC, serverTitle)), toHex(fStoC));
    assert.equal(high.judge(fCtoS, StoC, serverTitle), undefined);
    const server = serverAuthenticator({
      mechanism: mechanismOf(recorded, 'server', numbered(counterIn(fCtoS))),
      serverTitle,
      ciphers: ciphersWith(StoC, fCtoS),
    });
    assert.equal(server.high?.judge(fStoC, CtoS, clientTitle), undefined);
    assert.equal(toHex(server.high?.reply(CtoS, clientTitle) ?? new Uint8Array(0)), toHex(fCtoS));
  });

  test(`${recorded.id}: a proof that is changed, cut or of the other side proves nothing`, () => {
    const { high } = clientOfIt({ toleratesReflection: true });
    assert.ok(high);
    for (let bit = 0; bit < fCtoS.length * 8; bit += 1) {
      const mask = 1 << (bit & 7);
      const changed = fCtoS.map((byte, at) => (at === bit >> 3 ? byte ^ mask : byte));
      assert.equal(high.judge(changed, StoC, serverTitle)?.code, 'not-authentic', `bit ${bit}`);
    }
    for (let length = 0; length < fCtoS.length; length += 1) {
      const cut = fCtoS.subarray(0, length);
      assert.equal(high.judge(cut, StoC, serverTitle)?.code, 'not-authentic', `${length} bytes`);
    }
    if (toHex(fStoC) !== toHex(fCtoS)) {
      assert.equal(high.judge(fStoC, StoC, serverTitle)?.code, 'not-authentic');
    }
  });
}

test(
  'a server that sends our challenge back proves nothing, unless that is tolerated',
  { skip: withoutVectors },
  () => {
    const recorded = session('c-ln-hdlc-high');
    assert.ok(recorded);
    const { clientTitle, serverTitle, CtoS, StoC, fCtoS } = derivedOf(recorded);
    assert.equal(toHex(CtoS), toHex(StoC), 'that server always sends the same challenge');
    const mechanism = mechanismOf(recorded, 'client', numbered(0));
    const options = { mechanism, clientTitle, ciphers: ciphersWith(CtoS) };
    const wary = highAuthenticator(options).high;
    assert.equal(wary?.judge(fCtoS, StoC, serverTitle)?.code, 'not-authentic');
    const tolerant = highAuthenticator({ ...options, toleratesReflection: true }).high;
    assert.equal(tolerant?.judge(fCtoS, StoC, serverTitle), undefined);
  },
);

test('mechanism 4 is SHA-1 over challenge and secret', () => {
  const text = (words: string): Uint8Array => new TextEncoder().encode(words);
  const { high, mechanismName } = highAuthenticator({
    mechanism: { name: 'high-sha1', secret: text('c') },
    clientTitle: new Uint8Array(0),
    ciphers: ciphersWith(text('another')),
  });
  assert.equal(mechanismName, MECHANISM['high-sha1']);
  const proof = high?.reply(text('ab'), new Uint8Array(0));
  // FIPS 180-4, example of "abc".
  assert.equal(toHex(proof ?? new Uint8Array(0)), 'a9993e364706816aba3e25717850c26c9cd0d89d');
});

test(
  'an AARE with a protocol version, no mechanism and a counter of 0 is accepted',
  { skip: withoutVectors },
  () => {
    const recorded = session('py-jdlms-gmac');
    const [request, answer] = recorded?.frames ?? [];
    assert.ok(recorded && request && answer);
    const client = clientOf(recorded, request);
    assert.deepEqual(client.start(0).send.map(toHex), [request.hex.toLowerCase()]);
    const { send, events } = client.receive(fromHex(answer.hex), 1);
    assert.equal(send.length, 1, 'it goes on to prove itself');
    assert.deepEqual(events, []);
  },
);

interface Derived {
  readonly clientTitle: Uint8Array;
  readonly serverTitle: Uint8Array;
  readonly CtoS: Uint8Array;
  readonly StoC: Uint8Array;
  readonly fStoC: Uint8Array;
  readonly fCtoS: Uint8Array;
}

function derivedOf({ derived }: Session): Derived {
  const bytes = (name: string): Uint8Array => {
    const text = derived[name];
    return fromHex(typeof text === 'string' ? text : '');
  };
  return {
    clientTitle: bytes('cST'),
    serverTitle: bytes('sST'),
    CtoS: bytes('CtoS'),
    StoC: bytes('StoC'),
    fStoC: bytes('fStoC'),
    fCtoS: bytes('fCtoS'),
  };
}

/** The invocation counter in a proof by GMAC. */
function counterIn(proof: Uint8Array): number {
  return proof.length === 17 ? new DataView(proof.slice().buffer).getUint32(1) : 0;
}

test('keys are wrapped as in RFC 3394, and damage is noticed', { skip: withoutVectors }, () => {
  for (const id of ['rfc3394-128', 'rfc3394-256']) {
    const kek = bytesIn(id, 'kek');
    const wrapped = bytesIn(id, 'wrapped');
    assert.equal(toHex(machineCiphers.wrapKey(kek, bytesIn(id, 'key'))), toHex(wrapped));
    const key = machineCiphers.unwrapKey(kek, wrapped);
    assert.equal(toHex(key ?? new Uint8Array(0)), toHex(bytesIn(id, 'key')));
    const damaged = wrapped.map((byte, at) => (at === 3 ? byte ^ 1 : byte));
    for (const bad of [damaged, wrapped.subarray(1), wrapped.subarray(8), new Uint8Array(0)]) {
      assert.equal(machineCiphers.unwrapKey(kek, bad), undefined);
    }
  }
});

const SIGNATURES = [
  ['gb-ecdsa-ephemeral-public-key-signature', 'P-256'],
  ['gb-onepass-client-eph-signature', 'P-256'],
  ['gb-onepass-server-eph-signature', 'P-256'],
  ['suiteb-ecdsa-p384', 'P-384'],
] as const;

for (const [id, curve] of withoutVectors === false ? SIGNATURES : []) {
  test(`${id} is right, and with any byte changed wrong`, () => {
    const point = bytesIn(id, 'public');
    const message = bytesIn(id, 'message');
    const signature = bytesIn(id, 'signature');
    assert.ok(machineCiphers.verify(curve, point, message, signature));
    for (const at of signature.keys()) {
      const changed = signature.map((byte, index) => (index === at ? byte ^ 1 : byte));
      assert.ok(!machineCiphers.verify(curve, point, message, changed), `byte ${at}`);
      assert.ok(!machineCiphers.verify(curve, point, message, signature.subarray(0, at)));
    }
  });
}

const PAIRS = [
  ['gb-c1-client-signing-keypair', 'P-256'],
  ['gb-c1-server-signing-keypair', 'P-256'],
  ['gb-onepass-client-ephemeral-keypair', 'P-256'],
  ['suiteb-ecdsa-p384', 'P-384'],
] as const;

for (const [id, curve] of withoutVectors === false ? PAIRS : []) {
  test(`${id}: the point follows from the number, and what the pair signs is right`, () => {
    const pair = keyPairOf(curve, bytesIn(id, 'private'));
    assert.equal(toHex(pair.publicKey), toHex(bytesIn(id, 'public')));
    const signature = machineCiphers.sign(pair, bytesIn(id, 'public'));
    assert.equal(signature.length, pair.publicKey.length);
    assert.ok(machineCiphers.verify(curve, pair.publicKey, pair.publicKey, signature));
  });
}

test('numbers and points that are none of their curve are bad keys', () => {
  const pair = machineCiphers.generateKeyPair('P-256');
  const peer = machineCiphers.generateKeyPair('P-256').publicKey;
  const off = peer.map((byte, at) => (at === 40 ? byte ^ 1 : byte));
  const bad: readonly (() => unknown)[] = [
    () => machineCiphers.agree(pair, off),
    () => machineCiphers.agree(pair, new Uint8Array(64)),
    () => machineCiphers.agree(pair, peer.subarray(1)),
    () => machineCiphers.verify('P-384', peer, peer, peer),
    () => keyPairOf('P-256', new Uint8Array(32)),
    () => keyPairOf('P-256', new Uint8Array(32).fill(0xff)),
    () => machineCiphers.sign({ ...pair, privateKey: new Uint8Array(31) }, peer),
  ];
  for (const attempt of bad) {
    assert.throws(attempt, (error) => failureOf(error).code === 'bad-key');
  }
});
