import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect } from 'node:tls';
import { setImmediate as turn } from 'node:timers/promises';
import { toHex } from '#bytes/hex.ts';
import { encodeReceipt } from '#contract/receipt.ts';
import { Verifier } from '#contract/verify.ts';
import type { DevelopmentCa } from '#identity/development-ca.ts';
import type { Store } from '#store/store.ts';
import { machineClock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { machineZstd } from '#system/zstd.ts';
import { mqttDialer } from '#uplink/mqtt-session.ts';
import { openUplink } from '#uplink/open.ts';
import { presencesOf, type Presence } from '#uplink/presence.ts';
import type { Uplink, UplinkOptions, UplinkStatus } from '#uplink/uplink.ts';
import { decode } from 'cbor2';
import { runNormctl } from '../support/command-line.ts';
import { startMosquitto, withoutMosquitto, type Mosquitto } from '../support/mosquitto.ts';
import { owe, temporaryCa, temporaryStore } from '../support/outbox.ts';
import { startSubscriber, type Subscriber, type SubscriberOptions } from '../support/subscriber.ts';
import { assertWhole, energiesOf } from '../support/whole.ts';

interface HeadEnd {
  readonly ca: DevelopmentCa;
  readonly mosquitto: Mosquitto;
  readonly subscriber: Subscriber;
}

async function headEnd(
  context: TestContext,
  options: Pick<SubscriberOptions, 'unwrap'> = {},
): Promise<HeadEnd> {
  const ca = await temporaryCa(context);
  const mosquitto = await startMosquitto({ ca: ca.anchor, ...(await ca.broker()) });
  context.after(() => mosquitto.dispose());
  const subscriber = await startSubscriber({
    url: mosquitto.url,
    ca: ca.anchor,
    ...(await ca.device('head-end')),
    ...options,
  });
  context.after(() => subscriber.stop());
  return { ca, mosquitto, subscriber };
}

interface Opening extends Pick<UplinkOptions, 'url' | 'compression' | 'batchMs' | 'receipts'> {
  readonly store: Store;
  readonly issuer: DevelopmentCa;
  readonly trusted: DevelopmentCa;
}

/** An uplink with a certificate of `issuer` that trusts `trusted`. */
async function open(
  context: TestContext,
  { store, issuer, trusted, ...wish }: Opening,
): Promise<Uplink> {
  const uplink = openUplink(
    {
      backend: 'utility',
      gateway: 'gw-1',
      software: '0.0.0',
      ...wish,
      credentials: { ...(await issuer.device('gw-1')), anchors: [trusted.anchor] },
    },
    { store, clock: machineClock, entropy: machineEntropy, log: () => undefined },
  );
  context.after(() => uplink.stop());
  return uplink;
}

function reached(uplink: Uplink, kind: UplinkStatus['state']['kind']): Promise<UplinkStatus> {
  return new Promise((resolve) => {
    const look = (status: UplinkStatus): void => {
      if (status.state.kind === kind) resolve(status);
    };
    uplink.onState(look);
    look(uplink.status());
  });
}

const skip = withoutMosquitto;

test(
  'with receipts, what the broker has is kept until the head-end has verified it',
  { skip },
  async (context) => {
    const { ca, mosquitto, subscriber } = await headEnd(context);
    const store = await temporaryStore(context);
    const wish = { url: mosquitto.url, store, issuer: ca, trusted: ca, receipts: true };
    const uplink = await open(context, wish);
    await owe(store, 'p1', 0, 50);
    await subscriber.until(() => energiesOf(subscriber.packs, 'p1').size === 50);
    const kept = async (): Promise<number> =>
      (await store.counts()).backends['utility']?.queuedEntries ?? 0;
    while (uplink.status().readingsAcknowledged < 100) await turn();
    assert.equal(await kept(), 50);
    const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');
    const verifier = new Verifier({ sha256, compression: machineZstd });
    for (const { topic, payload } of subscriber.messages) verifier.take(topic, payload);
    await subscriber.publish('nd/1/gw-1/rc', encodeReceipt(verifier.receipt('gw-1')));
    while ((await kept()) > 0) await turn();
  },
);

test(
  'what was stored arrives at the head-end with its values, in order',
  { skip },
  async (context) => {
    const { ca, mosquitto, subscriber } = await headEnd(context);
    const store = await temporaryStore(context);
    await owe(store, 'p1', 0, 200);
    const uplink = await open(context, { url: mosquitto.url, store, issuer: ca, trusted: ca });
    await owe(store, 'pmu', 0, 500);
    await owe(store, 'p1', 200, 100);
    const { packs, presences } = subscriber;
    await subscriber.until(() => energiesOf(packs, 'p1').size === 300);
    await subscriber.until(() => energiesOf(packs, 'pmu').size === 500);
    assertWhole(packs, 'p1', 300);
    assertWhole(packs, 'pmu', 500);
    assert.deepEqual(uplink.status().state, {
      kind: 'online',
      protocol: '5',
      broker: mosquitto.url,
    });
    await uplink.stop();
    await subscriber.until(() => presences.length === 2);
    assert.deepEqual(
      presences.map((presence) => (presence as { state: string }).state),
      ['online', 'offline'],
    );
    assert.equal((await store.counts()).backends['utility']?.queuedEntries ?? 0, 0);
  },
);

test(
  'a broker that goes and comes back misses nothing and sees no disorder',
  { skip },
  async (context) => {
    const { ca, mosquitto, subscriber } = await headEnd(context);
    const store = await temporaryStore(context);
    const uplink = await open(context, { url: mosquitto.url, store, issuer: ca, trusted: ca });
    await reached(uplink, 'online');
    const { packs } = subscriber;
    for (const round of [0, 1, 2]) {
      const start = round * 200;
      // The broker goes while readings come in and are under way.
      const owed = owe(store, 'p1', start, 100);
      await mosquitto.stop();
      await owed;
      await reached(uplink, 'waiting');
      await owe(store, 'p1', start + 100, 100);
      await mosquitto.start();
      await subscriber.until(() => energiesOf(packs, 'p1').size === start + 200);
    }
    assertWhole(packs, 'p1', 600);
    await uplink.stop();
    assert.equal((await store.counts()).backends['utility']?.queuedEntries ?? 0, 0);
    assert.equal(uplink.status().readingsAcknowledged, 1200);
  },
);

/** As it is published: what a head-end fetches once. */
const DICTIONARY = join(import.meta.dirname, '../../firmware-ts/contract/dictionary-1.bin');
const withoutZstd =
  spawnSync('zstd', ['--version']).error === undefined ? false : 'no zstd: install the package';

/** An envelope as a stranger opens it, who has read the CDDL and has the command line of zstd. */
function unwrapped(payload: Uint8Array): Uint8Array {
  if (payload[0] !== 0xa2) return payload;
  const envelope = decode<ReadonlyMap<number, unknown>>(payload, { preferMap: true });
  assert.equal(envelope.get(1), 1);
  const input = envelope.get(2) as Uint8Array;
  const { status, stdout, stderr } = spawnSync('zstd', ['-dcD', DICTIONARY], { input });
  assert.equal(status, 0, String(stderr));
  return stdout;
}

test(
  'compressed payloads are opened by zstd itself, and proven by normctl',
  { skip: withoutMosquitto || withoutZstd },
  async (context) => {
    const { ca, mosquitto, subscriber } = await headEnd(context, { unwrap: unwrapped });
    const { packs, messages, presences } = subscriber;
    const store = await temporaryStore(context);
    const parts = { url: mosquitto.url, store, issuer: ca, trusted: ca, batchMs: 10 } as const;
    const uplink = await open(context, { ...parts, compression: 'zstd' });
    for (const from of [0, 20, 40]) {
      await owe(store, 'p1', from, 20);
      await subscriber.until(() => energiesOf(packs, 'p1').size === from + 20);
    }
    await uplink.stop();
    await subscriber.until(() => presences.length === 2);
    assertWhole(packs, 'p1', 60);
    const data = messages.filter(({ topic }) => topic.includes('/up/'));
    assert.ok(
      data.every(({ payload }) => payload[0] === 0xa2),
      'all are in envelopes',
    );
    for (const presence of presences as readonly Presence[]) {
      const sha256 = hash('sha256', readFileSync(DICTIONARY));
      assert.deepEqual(presence.dictionaries, [{ number: 1, sha256 }]);
    }
    const lines = messages.map(({ topic, payload }) => `${topic} ${toHex(payload)}\n`);
    const verified = await runNormctl(['verify', '-'], { input: lines.join('') });
    assert.equal(verified.status, 0, verified.out);
    assert.match(verified.out, /p1 epoch \d+: complete/);
  },
);

test('the will tells the head-end of a gateway that vanished', { skip }, async (context) => {
  const { ca, mosquitto, subscriber } = await headEnd(context);
  const { key, certificate } = await ca.device('gw-1');
  const { will } = presencesOf('nd/1/gw-1/st', { software: '0.0.0' });
  const [keyPem, certificatePem, anchor] = await Promise.all(
    [key, certificate, ca.anchor].map((path) => readFile(path, 'utf8')),
  );
  const session = await mqttDialer()({
    target: { host: '127.0.0.1', port: mosquitto.port, secure: true },
    clientId: 'gw-1',
    will,
    credentials: {
      key: keyPem ?? '',
      certificate: certificatePem ?? '',
      anchors: [anchor ?? ''],
    },
    signal: new AbortController().signal,
  });
  session.abort({ code: 'stopped', message: 'power cut' });
  await subscriber.until(() => subscriber.presences.length === 1);
  assert.deepEqual(subscriber.presences, [JSON.parse(String(will.payload))]);
});

test('mosquitto lets nobody in without a certificate', { skip }, async (context) => {
  const { ca, mosquitto } = await headEnd(context);
  const anchor = await readFile(ca.anchor);
  const socket = connect({ port: mosquitto.port, host: '127.0.0.1', ca: anchor });
  socket.resume();
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.match(String(error.code), /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|ECONNRESET/);
});

test('neither side of a connection accepts a foreign certificate', { skip }, async (context) => {
  const { ca, mosquitto } = await headEnd(context);
  const foreign = await temporaryCa(context);
  const store = await temporaryStore(context);
  await owe(store, 'p1', 0, 1);
  const { url } = mosquitto;
  for (const [issuer, trusted, code] of [
    [foreign, ca, 'certificate-refused'],
    [ca, foreign, 'broker-untrusted'],
  ] as const) {
    const uplink = await open(context, { url, store, issuer, trusted });
    const { lastFailure } = await reached(uplink, 'waiting');
    assert.equal(lastFailure?.code, code, lastFailure?.message);
    await uplink.stop();
    assert.equal(uplink.status().readingsSent, 0);
  }
  assert.equal((await store.counts()).backends['utility']?.queuedEntries, 1);
});
