import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromHex, toHex } from '#bytes/hex.ts';
import { advanceAll, chainStart } from '#contract/chain.ts';
import { type Gap, type Manifest, encodeManifest } from '#contract/manifest.ts';
import { type Range, Ranges } from '#contract/ranges.ts';
import { decodeReceipt, encodeReceipt } from '#contract/receipt.ts';
import { formsOfRecords } from '#contract/records.ts';
import { StreamCheck, type StreamReport } from '#contract/stream-check.ts';
import { Verifier } from '#contract/verify.ts';
import type { Observation } from '#reading/reading.ts';
import { jsonOfPack } from '#reading/senml-json.ts';
import { encodePack, encodeRecords } from '#reading/senml.ts';
import { machineZstd } from '#system/zstd.ts';
import { EXIT } from '../../firmware-ts/cli/exit-codes.ts';
import { envelope, runNormctl } from '../support/command-line.ts';
import { STREAM, type Sent, packOf, sha256, verified } from '../support/contract.ts';

const AT = '2026-11-21T12:00:00Z';

const OBSERVATIONS = Array.from({ length: 10 }, (_, at): Observation => ({
  source: 'meter1',
  time: { second: 1_795_262_400 + at, nanosecond: 0, clock: 'device', trust: 'trusted' },
  quality: [],
  readings: [{ object: '1-0:1.8.0*255', raw: 1000 + at, scaler: 0, unit: 'Wh' }],
}));

const pack = (...numbers: readonly number[]): Sent => packOf(OBSERVATIONS, numbers);
const live = (...numbers: readonly number[]): Sent => {
  return { ...pack(...numbers), topic: 'nd/1/gw-1/lv/meter1' };
};

/** The manifest after `through`, of which `gaps` will never come. */
function manifest(through: number, gaps: readonly Range[] = []): Sent {
  return manifestWith(through, manifestChain(through, gaps), gaps);
}

function manifestChain(through: number, gaps: readonly Range[] = []): Uint8Array {
  const named = new Ranges();
  for (const [from, last] of gaps) named.add(from, last);
  let chain = chainStart();
  for (const [at, observation] of OBSERVATIONS.slice(0, through + 1).entries()) {
    if (named.has(at)) continue;
    chain = advanceAll(sha256, chain, at, formsOfRecords(encodeRecords(observation).records));
  }
  return chain;
}

function manifestWith(through: number, chain: Uint8Array, gaps: readonly Range[] = []): Sent {
  const { gateway, stream, epoch } = STREAM;
  const list = gaps.map(([from, last]): Gap => ({ from, through: last, reason: 'age', at: AT }));
  const state = { stream, class: 'measurement', epoch, through, chain: toHex(chain) } as const;
  const streams = [{ ...state, next: through + 1, gaps: list }];
  const whole: Manifest = { version: 1, gateway, at: AT, number: through + 1, streams };
  const payload = Buffer.from(encodeManifest(whole));
  return { topic: `nd/1/${gateway}/mf`, payload, numbers: [] };
}

/** The last byte is a digit of the last value. */
function altered(message: Sent): Sent {
  const payload = message.payload.slice();
  payload[payload.length - 1] = (payload.at(-1) ?? 0) ^ 1;
  return { ...message, payload };
}

function only(verifier: Verifier): StreamReport {
  const { streams } = verifier.report();
  assert.equal(streams.length, 1);
  return streams[0] ?? assert.fail();
}

test('what was altered is located between the two manifests around it', () => {
  const messages = [
    pack(0, 1),
    manifest(1),
    altered(pack(2, 3)),
    manifest(3),
    pack(4, 5),
    manifest(5),
  ];
  const { verdict, broken, proven } = only(verified(messages));
  assert.deepEqual(
    [verdict, broken, proven],
    [
      'altered',
      [[2, 3]],
      [
        [0, 1],
        [4, 5],
      ],
    ],
  );
});

test('a live copy that is not what comes in order is found, whichever is the altered one', () => {
  for (const messages of [
    [altered(live(1)), pack(0), pack(1), manifest(1)],
    [live(1), pack(0), altered(pack(1)), manifest(1)],
    [pack(0, 1), altered(live(1)), manifest(1)],
  ]) {
    const { verdict, conflicts } = only(verified(messages));
    assert.deepEqual([verdict, conflicts], ['altered', 1]);
  }
});

test('a manifest that comes late does not shorten a gap that has grown since', () => {
  const before = manifest(3, [[2, 3]]);
  const after = manifest(5, [[2, 5]]);
  for (const manifests of [
    [before, after],
    [after, before],
  ]) {
    const { verdict, holes } = only(verified([pack(0, 1), ...manifests]));
    assert.deepEqual([verdict, holes], ['complete', []]);
  }
});

test('a pack that says it has no record is a fault, whatever follows', () => {
  const { topic, payload } = pack(0);
  const { faults } = verified([{ topic, payload: payload.with(0, 0x80) }]).report();
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['bad-count'],
  );
});

test('what a stream may be in pieces is bounded: in gaps, and in what comes in order', () => {
  const verifier = verified([]);
  const gapsAt = (first: number): readonly Range[] =>
    Array.from({ length: 250 }, (_, at): Range => [first + 2 * at, first + 2 * at]);
  for (let first = 1; first <= 20_001; first += 500) {
    const { topic, payload } = manifestWith(first + 499, chainStart(), gapsAt(first));
    verifier.take(topic, payload);
  }
  const { faults, streams } = verifier.report();
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['too-many-gaps'],
  );
  assert.equal(streams[0]?.gaps.length, 10_000);

  const check = new StreamCheck(STREAM, sha256);
  assert.ok(check.take('lv', 0, 30_000, undefined));
  for (let at = 0; at < 10_000; at += 1) assert.ok(check.take('up', 2 * at, 1, undefined));
  assert.equal(check.take('up', 20_000, 1, undefined), false);
  assert.ok(check.take('up', 0, 1, undefined), 'what came before may come again');
});

test('what comes again, or live first, is no disorder; what fills a hole is', () => {
  const disorder = (...messages: readonly Sent[]): number => only(verified(messages)).outOfOrder;
  assert.equal(disorder(pack(0), pack(1), pack(0), pack(1, 2)), 0);
  assert.equal(disorder(live(2), pack(0), pack(1), pack(2)), 0);
  assert.equal(disorder(pack(0), pack(2), pack(1), pack(1)), 1);
});

test('each state of a stream has its verdict', () => {
  const cases: readonly (readonly [readonly Sent[], StreamReport['verdict']])[] = [
    [[pack(0, 1)], 'no-manifest'],
    [[manifest(-1)], 'complete'],
    [[pack(0), manifest(1)], 'missing'],
    [[pack(0), manifest(1, [[1, 1]])], 'complete'],
    [[pack(0, 1), manifest(1), pack(2)], 'open'],
    [[pack(0, 1), manifest(1), pack(2), manifest(2)], 'complete'],
    [[manifestWith(-1, sha256(chainStart()))], 'altered'],
    [[pack(0), manifest(0), manifestWith(0, chainStart())], 'altered'],
  ];
  for (const [messages, verdict] of cases) assert.equal(only(verified(messages)).verdict, verdict);
});

test('readings in JSON are counted, but nothing proves their bytes', () => {
  const json = { ...pack(0, 1), payload: Buffer.from(jsonOfPack(pack(0, 1).payload)) };
  const { verdict, observations, stopped } = only(verified([json, manifest(1)]));
  assert.deepEqual(
    [verdict, observations, stopped],
    ['unchecked', 2, { at: 0, reason: 'not-kept' }],
  );
  const text = jsonOfPack(pack(0, 1).payload).replace('[1800000000,0,2]', '[1800000000,0,3]');
  const claim = { ...json, payload: Buffer.from(text) };
  assert.equal(verified([claim]).report().faults[0]?.code, 'bad-count');
  assert.equal(
    only(verified([json, manifest(1), pack(0, 1)])).verdict,
    'complete',
    'till CBOR comes',
  );
});

test('who begins to listen later may take the first manifest as given', () => {
  const messages = [manifest(3), pack(4), pack(5), manifest(5)];
  assert.equal(only(verified(messages)).verdict, 'missing');
  const later = only(verified(messages, { since: 'first-manifest' }));
  assert.deepEqual([later.verdict, later.proven], ['complete', [[4, 5]]]);
  const lost = only(verified([manifest(3), pack(5), manifest(5)], { since: 'first-manifest' }));
  assert.deepEqual(lost.holes, [[4, 4]]);
});

test('a gap of any length costs nothing', () => {
  const far = Number.MAX_SAFE_INTEGER - 2;
  const form = formsOfRecords(encodeRecords(OBSERVATIONS[0] ?? assert.fail()).records);
  const chain = advanceAll(sha256, chainStart(), 0, form);
  const { verdict, holes } = only(verified([pack(0), manifestWith(far, chain, [[1, far]])]));
  assert.deepEqual([verdict, holes], ['complete', []]);
});

test('gateways, streams and epochs are apart, and a payload belongs on its topic', () => {
  const elsewhere = { ...pack(0), topic: 'nd/1/gw-2/up/meter1' };
  const report = verified([pack(0), manifest(0), elsewhere]).report();
  assert.equal(report.streams.length, 1);
  assert.deepEqual(
    [report.complete, report.faultCount, report.faults[0]?.code, report.faults[0]?.place],
    [false, 1, 'wrong-topic', 3],
  );
});

test('a receipt tells what has come, and what is missing below it', () => {
  const verifier = verified([pack(0), pack(3), pack(5), manifest(5, [[1, 1]])]);
  const receipt = verifier.receipt(STREAM.gateway);
  const { stream, epoch } = STREAM;
  const holes = [
    [2, 2],
    [4, 4],
  ];
  assert.deepEqual(receipt.streams, [{ stream, epoch, through: 5, holes }]);
  assert.deepEqual(decodeReceipt(Buffer.from(encodeReceipt(receipt))), receipt);
  assert.deepEqual(verifier.receipt('gw').streams, [], 'another gateway, whose name begins alike');
});

test('a receiver of very many streams keeps no more of them all than it is allowed', () => {
  const verifier = new Verifier({ sha256, compression: machineZstd, keptBytesMax: 10_000 });
  const { gateway, epoch } = STREAM;
  const streams = Array.from({ length: 200 }, (_, at) => `m-${at}`);
  const chain = manifestChain(1);
  const say = (stream: string, sequence: number): void => {
    const records = encodeRecords(OBSERVATIONS[sequence] ?? assert.fail());
    const key = { ...STREAM, stream, sequence, count: 1 };
    verifier.take(`nd/1/${gateway}/up/${stream}`, encodePack(key, [records]));
  };
  for (const stream of streams) say(stream, 1);
  const state = { class: 'measurement', epoch, through: 1, chain: toHex(chain), next: 2 } as const;
  const standings = streams.map((stream) => ({ ...state, stream, gaps: [] }));
  const whole = encodeManifest({ version: 1, gateway, at: AT, number: 1, streams: standings });
  verifier.take(`nd/1/${gateway}/mf`, Buffer.from(whole));
  for (const stream of streams) say(stream, 0);
  const reports = verifier.report().streams;
  const proven = reports.filter(({ verdict }) => verdict === 'complete');
  assert.ok(proven.length > 10 && proven.length < 100, `${proven.length} had room`);
  for (const { verdict, stopped } of reports.slice(proven.length)) {
    assert.deepEqual([verdict, stopped?.reason], ['unchecked', 'not-kept']);
  }
});

test('a receipt that no gateway would take is refused where it is made', () => {
  const streamsOf = (count: number, holes: number) =>
    Array.from({ length: count }, (_, at) => ({
      stream: `m-${at}`,
      epoch: 1,
      through: 1_000_000,
      holes: Array.from({ length: holes }, (_hole, place) => [4 * place, 4 * place + 1] as const),
    }));
  for (const streams of [streamsOf(1025, 0), streamsOf(40, 200)]) {
    assert.throws(() => encodeReceipt({ version: 1, streams }), { code: 'too-large' });
  }
  const text = encodeReceipt({ version: 1, streams: streamsOf(20, 200) });
  assert.equal(decodeReceipt(Buffer.from(text)).streams.length, 20);
});

const CAPTURE = join(import.meta.dirname, '../vectors/contract/capture.txt');
const LINES = readFileSync(CAPTURE, 'utf8').trim().split('\n');

test('normctl verify: a complete capture is status 0, in either form of its lines', async () => {
  const file = await runNormctl(['verify', CAPTURE]);
  assert.deepEqual([file.status, file.err], [EXIT.ok, '']);
  assert.match(file.out, /gw-0001\/meter epoch 1795262400: complete/);
  for (const encoding of ['hex', 'base64'] as const) {
    const json = LINES.map((line) => {
      const [topic = '', hex = ''] = line.split(' ');
      return JSON.stringify({ topic, payload: Buffer.from(fromHex(hex)).toString(encoding) });
    });
    const { status, out } = await runNormctl(['verify', '-', '--json'], {
      input: `${json.join('\r\n')}\n\n`,
    });
    assert.equal(status, EXIT.ok);
    const { ok, data } = envelope(out);
    assert.ok(ok);
    const { streams } = data as { streams: readonly StreamReport[] };
    assert.deepEqual(streams[0]?.proven, [[0, 6]]);
  }
});

test('normctl verify: without one line it names what is missing, with status 1', async () => {
  const input = LINES.filter((_, at) => at !== 0).join('\n');
  const plain = await runNormctl(['verify', '-'], { input });
  assert.equal(plain.status, EXIT.notGood);
  assert.match(plain.out, /^ {2}missing: 0$/m);
  const { status, out } = await runNormctl(['verify', '-', '--json'], { input });
  assert.equal(status, EXIT.notGood);
  const { ok, problems } = envelope(out);
  assert.deepEqual([ok, problems?.map(({ code }) => code)], [false, ['missing']]);
});

test('normctl verify: lines that are no messages are told by their place', async () => {
  const bad = ['nonsense', '{', '{"topic":1}', '{"topic":"x","payload":"%"}', 'nd/1/g/up/s zz'];
  const input = [...LINES, ...bad, 'a'.repeat(3 << 20)].join('\n');
  const { status, out } = await runNormctl(['verify', '-', '--json'], { input });
  assert.equal(status, EXIT.notGood);
  const problems = envelope(out).problems as readonly { code: string; place: number }[];
  assert.deepEqual(
    problems.map(({ code, place }) => [code, place]),
    ['bad-line', 'bad-line', 'bad-line', 'bad-line', 'bad-hex', 'bad-line'].map((code, at) => [
      code,
      LINES.length + 1 + at,
    ]),
  );
});

test('normctl verify: what holds no message, or cannot be read, is status 4', async () => {
  for (const words of [
    ['verify', '-'],
    ['verify', join(CAPTURE, '../nothing.txt')],
    ['verify', join(CAPTURE, 'nothing')],
    ['verify', import.meta.dirname],
  ]) {
    const { status, out, err } = await runNormctl(words, { input: 'nd/1/g/st 7b7d\n' });
    assert.deepEqual([status, out], [EXIT.unreadable, ''], words.join(' '));
    assert.match(err, /^error (not-recognised|missing-file|unreadable-file): /);
  }
});
