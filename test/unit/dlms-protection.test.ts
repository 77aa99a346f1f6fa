import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import { encodeExceptionResponse } from '#protocol/dlms/errors.ts';
import { InvocationCounter } from '#protocol/dlms/invocation-counter.ts';
import type { Protection } from '#protocol/dlms/protection.ts';
import type { GloDedOptions } from '#protocol/dlms/protections.ts';
import { gloDedProtection } from '#protocol/dlms/protections.ts';
import { Resynchronisation, readInvocationCounter } from '#protocol/dlms/resynchronise.ts';
import { WatchedProtection } from '#protocol/dlms/watched-protection.ts';
import { machineAesGcm } from '#system/cipher.ts';

const CLIENT_TITLE = fromHex('4e524d0000000001');
const SERVER_TITLE = fromHex('4e524d0000000002');
const KEYS = {
  encryption: new Uint8Array(16).fill(1),
  authentication: new Uint8Array(16).fill(2),
  broadcast: new Uint8Array(16).fill(3),
  dedicated: new Uint8Array(16).fill(4),
};
const OTHER = new Uint8Array(16).fill(9);
const GET_RESPONSE = fromHex('C401C1000600000001');
const ACCESS_RESPONSE = fromHex('DA000000010000000000');

function protectionOf(side: 'client' | 'server', options: Partial<GloDedOptions> = {}): Protection {
  const counters = new InvocationCounter();
  counters.grant({ from: 0, until: 1000 });
  const [ownTitle, peerTitle] =
    side === 'client' ? [CLIENT_TITLE, SERVER_TITLE] : [SERVER_TITLE, CLIENT_TITLE];
  return gloDedProtection({
    suite: 0,
    ownTitle,
    peerTitle,
    keys: KEYS,
    policy: 'require',
    level: 'authenticated-and-encrypted',
    form: 'service-specific',
    cipher: machineAesGcm,
    counters,
    ...options,
  });
}

function codeOf(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    return failureOf(error).code;
  }
  return 'taken';
}

test('each thing that can be wrong with a ciphered answer has a code of its own', () => {
  const server = protectionOf('server');
  const sealed = server.protect(GET_RESPONSE);
  const { encryption, authentication } = KEYS;
  const cases: readonly [Partial<GloDedOptions>, Uint8Array, string][] = [
    [{}, sealed, 'taken'],
    [{ keys: { encryption: OTHER, authentication } }, sealed, 'wrong-key'],
    [{ keys: { encryption, authentication: OTHER } }, sealed, 'wrong-authentication-key'],
    [{ keys: {} }, sealed, 'key-missing'],
    [{ keys: { encryption } }, sealed, 'key-missing'],
    [{}, GET_RESPONSE, 'not-authenticated'],
    [{}, protectionOf('client').protect(GET_RESPONSE), 'wrong-key'],
    [{}, protectionOf('client', { form: 'general' }).protect(GET_RESPONSE), 'bad-system-title'],
    [{}, sealed.map((byte, at) => (at === 2 ? byte | 0x80 : byte)), 'compressed'],
    [{}, sealed.subarray(0, 12), 'truncated'],
    [{ peerTitle: CLIENT_TITLE }, sealed, 'bad-system-title'],
  ];
  for (const [options, apdu, code] of cases) {
    assert.equal(
      codeOf(() => protectionOf('client', options).unprotect(apdu)),
      code,
    );
  }
  const client = protectionOf('client');
  assert.ok(client.unprotect(sealed).verified);
  assert.equal(
    codeOf(() => client.unprotect(sealed)),
    'replayed',
  );
  const late = server.protect(GET_RESPONSE);
  assert.equal(
    codeOf(() => client.unprotect(late.with(-1, (late.at(-1) ?? 0) ^ 1))),
    'bad-tag',
  );
});

test('the policy decides what is taken unproven, and it is always marked', () => {
  const bare = protectionOf('server', { level: 'encrypted' }).protect(GET_RESPONSE);
  const sealed = protectionOf('server').protect(GET_RESPONSE);
  const refusal = encodeExceptionResponse({ stateError: 1, serviceError: 2 });
  const { encryption } = KEYS;
  const cases: readonly [Partial<GloDedOptions>, Uint8Array, boolean | string][] = [
    [{ policy: 'require' }, bare, 'not-authenticated'],
    [{ policy: 'if-key' }, bare, false],
    [{ policy: 'if-key' }, sealed, true],
    [{ policy: 'if-key', keys: { encryption } }, sealed, false],
    [{ policy: 'if-key' }, GET_RESPONSE, false],
    [{ policy: 'never' }, sealed, false],
    [{ policy: 'never', keys: { encryption, authentication: OTHER } }, sealed, false],
    [{ policy: 'require' }, refusal, false],
  ];
  for (const [options, apdu, expected] of cases) {
    const client = protectionOf('client', options);
    if (typeof expected === 'string')
      assert.equal(
        codeOf(() => client.unprotect(apdu)),
        expected,
      );
    else assert.equal(client.unprotect(apdu).verified, expected);
  }
});

test('each key and each form is opened by the other side, whatever form it uses itself', () => {
  for (const form of ['service-specific', 'general'] as const) {
    for (const key of ['unicast', 'broadcast', 'dedicated'] as const) {
      for (const level of ['authenticated', 'authenticated-and-encrypted'] as const) {
        for (const apdu of [GET_RESPONSE, ACCESS_RESPONSE]) {
          const sealed = protectionOf('server', { form, key, level }).protect(apdu);
          const general =
            key === 'dedicated' ? APDU_TAG.generalDedCiphering : APDU_TAG.generalGloCiphering;
          const specific = form === 'service-specific' && apdu === GET_RESPONSE;
          assert.equal(sealed[0] === general, !specific);
          assert.ok(
            sealed.length - apdu.length <=
              protectionOf('server', { form: 'general' }).overheadBytes,
          );
          const opened = protectionOf('client').unprotect(sealed);
          assert.deepEqual(Uint8Array.from(opened.apdu), apdu);
          assert.ok(opened.verified);
        }
      }
    }
  }
});

test('before the peer has said its title, what we sent does not come back as its answer', () => {
  const counters = new InvocationCounter();
  counters.grant({ from: 0, until: 10 });
  const client = gloDedProtection({
    suite: 0,
    ownTitle: CLIENT_TITLE,
    keys: KEYS,
    policy: 'require',
    level: 'authenticated-and-encrypted',
    form: 'general',
    cipher: machineAesGcm,
    counters,
  });
  const sent = client.protect(GET_RESPONSE);
  assert.equal(
    codeOf(() => client.unprotect(sent)),
    'bad-system-title',
  );
  assert.ok(client.unprotect(protectionOf('server', { form: 'general' }).protect(GET_RESPONSE)));
});

test('a security control that names another suite is opened by the keys there are', () => {
  const sealed = protectionOf('server', { suite: 2 }).protect(GET_RESPONSE);
  assert.equal(sealed[2], 0x32);
  assert.ok(protectionOf('client').unprotect(sealed).verified);
});

test('an InitiateRequest goes under the global key, in its own form', () => {
  const options = { form: 'general', key: 'dedicated' } as const;
  const sealed = protectionOf('server', options).protect(fromHex('0100000006'));
  assert.equal(sealed[0], APDU_TAG.gloInitiateRequest);
});

test('the proof goes under the global key, and only then the dedicated one is in force', () => {
  const client = protectionOf('client', { form: 'service-specific', key: 'dedicated' });
  const proof = fromHex('c30141000f0000280000ff0101090100');
  assert.equal(client.protect(proof)[0], APDU_TAG.gloActionRequest);
  assert.equal(client.protect(fromHex('c00141000f0000280000ff0200'))[0], APDU_TAG.dedGetRequest);
});

test('what a refused counter should have been is kept, and brought into step once', () => {
  const watched = new WatchedProtection(protectionOf('client', { policy: 'if-key' }));
  const server = protectionOf('server');
  watched.unprotect(server.protect(GET_RESPONSE));
  const exception = { stateError: 1, serviceError: 6, invocationCounter: 4711 };
  watched.unprotect(encodeExceptionResponse(exception));
  assert.deepEqual([watched.unverified, watched.counterWanted], [false, 4711]);
  watched.unprotect(GET_RESPONSE);
  watched.unprotect(server.protect(GET_RESPONSE));
  assert.ok(watched.unverified, 'what was not proven once is not forgotten');
  const resynchronisation = new Resynchronisation();
  const refusal = { code: 'counter-out-of-step', message: '' };
  assert.ok(!resynchronisation.isDue({ code: 'wrong-key', message: '' }));
  assert.ok(resynchronisation.isDue(refusal));
  assert.ok(!resynchronisation.isDue(refusal), 'the second time is another fault');
  resynchronisation.succeeded();
  assert.ok(resynchronisation.isDue(refusal));
});

test('a public client reads how far a meter has seen the counter', () => {
  const procedure = readInvocationCounter();
  const { value: step } = procedure.next();
  assert.deepEqual(step, {
    kind: 'ask',
    request: {
      kind: 'get',
      attributes: [{ classId: 1, instanceId: Uint8Array.of(0, 0, 43, 1, 0, 255), attributeId: 2 }],
    },
  });
  const data = { type: 'double-long-unsigned', value: 100 } as const;
  const done = procedure.next({ kind: 'results', results: [{ kind: 'done', data }] });
  assert.deepEqual(done, { done: true, value: 100 });
});
