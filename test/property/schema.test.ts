import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decode as decodeCbor } from 'cbor2';
import fc from 'fast-check';
import { Compile } from 'typebox/schema';
import { OperatingError } from '#bytes/failure.ts';
import { wrapPayload } from '#contract/envelope.ts';
import { EVENT_SEVERITIES, encodeEvent } from '#contract/event.ts';
import { GAP_REASONS, type Manifest, decodeManifest, encodeManifest } from '#contract/manifest.ts';
import { Ranges } from '#contract/ranges.ts';
import { type Receipt, decodeReceipt, encodeReceipt } from '#contract/receipt.ts';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import { jsonOfPack } from '#reading/senml-json.ts';
import { machineZstd } from '#system/zstd.ts';
import { presencesOf } from '#uplink/presence.ts';
import { Cddl, TaggedDecimal } from '../support/cddl.ts';
import { packOf } from '../support/contract.ts';
import { anyObservation } from '../support/observations.ts';

const ROOM = join(import.meta.dirname, '../../firmware-ts/contract');
const cddl = new Cddl(readFileSync(join(ROOM, 'normd-1.cddl'), 'utf8'));
const schema = JSON.parse(readFileSync(join(ROOM, 'normd-1.schema.json'), 'utf8')) as {
  readonly $defs: Readonly<Record<string, object>>;
};

type JsonForm = 'manifest' | 'receipt' | 'presence' | 'event' | 'senml';

/** By a JSON Schema compiler that is none of ours; see the CDDL's checker for the other. */
const validators = new Map(
  (['manifest', 'receipt', 'presence', 'event', 'senml'] as const).map((form) => [
    form,
    Compile({ ...schema, anyOf: [{ $ref: `#/$defs/${form}` }] }),
  ]),
);

function isJson(form: JsonForm, value: unknown): boolean {
  return validators.get(form)?.Check(value) ?? assert.fail(form);
}

function assertBoth(form: Exclude<JsonForm, 'senml'>, text: string): void {
  const value: unknown = JSON.parse(text);
  assert.ok(isJson(form, value), `JSON Schema: ${text}`);
  assert.ok(cddl.matches(form, value), `CDDL: ${text}`);
}

function cborOf(bytes: Uint8Array): unknown {
  return decodeCbor(Uint8Array.from(bytes), {
    tags: new Map([[4, (tag: { contents?: unknown }) => new TaggedDecimal(tag.contents)]]),
    preferMap: true,
  });
}

const observations = fc.array(anyObservation, { minLength: 1, maxLength: 4 });

test('every payload is what the CDDL says, and its JSON form what the JSON Schema says', () => {
  fc.assert(
    fc.property(observations, (taken) => {
      const { payload } = packOf(taken, [...taken.keys()]);
      assert.ok(cddl.matches('payload', cborOf(payload)), Buffer.from(payload).toString('hex'));
      assert.ok(isJson('senml', JSON.parse(jsonOfPack(payload))), jsonOfPack(payload));
      assert.ok(cddl.matches('payload', cborOf(wrapPayload(payload, machineZstd, 1))));
    }),
  );
});

test('a payload that lacks a pair, or has one in the wrong record, is not what they say', () => {
  fc.assert(
    fc.property(observations, fc.constantFrom(-3, -2, 0, 'k'), (taken, label) => {
      const { payload } = packOf(taken, [...taken.keys()]);
      const [head, ...rest] = cborOf(payload) as Map<number | string, unknown>[];
      assert.ok(head);
      const value = head.get(label);
      head.delete(label);
      assert.ok(!cddl.matches('payload', [head, ...rest]));
      head.set(label, value).set(12, 'unknown');
      assert.ok(!cddl.matches('payload', [head, ...rest]));
      const json = JSON.parse(jsonOfPack(payload)) as Record<string, unknown>[];
      const name = label === -3 ? 'bt' : label === -2 ? 'bn' : label === 0 ? 'n' : 'k';
      const lacking = json.map((record, at) =>
        at === 0 ? { ...record, [name]: undefined } : record,
      );
      assert.ok(!isJson('senml', JSON.parse(JSON.stringify(lacking))));
    }),
  );
});

const number = fc.maxSafeNat();
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,20}$/);
const at = fc
  .date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true })
  .map((date) => date.toISOString());

/** Ranges below `end`, in order and apart. */
const rangesBelow = (end: number) =>
  fc.array(fc.tuple(fc.nat(end), fc.nat(3)), { maxLength: 5 }).map((starts) => {
    const ranges = new Ranges();
    for (const [from, more] of starts) ranges.add(from, from + more);
    return ranges.list;
  });

const manifest: fc.Arbitrary<Manifest> = fc.record(
  {
    version: fc.constant(1 as const),
    gateway: name,
    at,
    number,
    streams: fc.uniqueArray(
      fc
        .record(
          {
            stream: name,
            class: fc.constantFrom(...DELIVERY_CLASSES),
            epoch: number,
            through: fc.integer({ min: -1, max: 1000 }),
            chain: fc.stringMatching(/^[0-9a-f]{64}$/),
            next: fc.integer({ min: 1001, max: 2000 }),
            ranges: rangesBelow(990),
            reason: fc.constantFrom(...GAP_REASONS),
            at,
            gapsToCome: number,
          },
          { requiredKeys: ['stream', 'class', 'epoch', 'through', 'next', 'ranges', 'reason'] },
        )
        .map(({ ranges, reason, at: named, ...state }) => ({
          ...state,
          gaps: ranges.map(([from, through]) => {
            return { from, through, reason, ...(named === undefined ? {} : { at: named }) };
          }),
        })),
      { maxLength: 4, selector: ({ stream, epoch }) => `${stream} ${epoch}` },
    ),
    gapsOmitted: fc.integer({ min: 1, max: 9 }),
  },
  {
    requiredKeys: ['version', 'gateway', 'at', 'number', 'streams'],
    noNullPrototype: true,
  },
);

const receipt: fc.Arbitrary<Receipt> = fc.record(
  {
    version: fc.constant(1 as const),
    streams: fc.uniqueArray(
      fc.record(
        {
          stream: name,
          epoch: number,
          through: fc.integer({ min: 1001, max: 2000 }),
          holes: rangesBelow(990),
        },
        { noNullPrototype: true },
      ),
      { maxLength: 4, selector: ({ stream, epoch }) => `${stream} ${epoch}` },
    ),
  },
  { noNullPrototype: true },
);

test('manifests and receipts are what both schemas say, and come back as they were', () => {
  fc.assert(
    fc.property(manifest, receipt, (one, other) => {
      const [text, answer] = [encodeManifest(one), encodeReceipt(other)];
      assertBoth('manifest', text);
      assertBoth('receipt', answer);
      assert.deepEqual(decodeManifest(Buffer.from(text)), one);
      assert.deepEqual(decodeReceipt(Buffer.from(answer)), other);
    }),
  );
});

test('presence and every event are what both schemas say', () => {
  for (const compression of ['none', 'zstd'] as const) {
    const { birth, goodbye, will } = presencesOf('nd/1/g/st', { software: '0.1.0', compression });
    for (const { payload } of [birth, goodbye, will]) {
      assertBoth('presence', Buffer.from(payload).toString());
    }
  }
  const numbers = { stream: 's', epoch: 1, from: 2, through: 3 };
  const now = '2026-11-21T12:00:00Z';
  const events = [
    encodeEvent(now, 'disk-full', { freeBytes: 0 }),
    encodeEvent(now, 'disk-failed', { code: 'disk-read-only' }),
    encodeEvent(now, 'disk-recovered', { freeBytes: 1e9 }),
    encodeEvent(now, 'gap', { ...numbers, reason: 'bytes' }),
    encodeEvent(now, 'quarantined', { ...numbers, code: 'packet-too-large' }),
    encodeEvent(now, 'store-set-aside', { file: 'store.db.damaged-1', salvagedEntries: 7 }),
    encodeEvent(now, 'clock-corrected', { stepMs: -12 }),
    encodeEvent(undefined, 'clock-corrected', {}),
    encodeEvent(now, 'broker-changed', { from: 'a', to: 'b', code: 'refused' }),
  ];
  for (const event of events) assertBoth('event', event);
  const told = new Set(events.map((text) => (JSON.parse(text) as { event: string }).event));
  assert.deepEqual([...told], Object.keys(EVENT_SEVERITIES), 'every event there is');
});

/** A stream's chain and a gap's time may be unknown; `at` of the whole is asked for. */
function mayLack(key: string, of: object): boolean {
  const optional = ['gapsOmitted', 'gapsToCome', 'chain'].includes(key);
  return optional || (key === 'at' && 'reason' in of);
}

/** Every way to leave one key out or to put something else in its place, at any depth. */
function* spoiled(value: unknown): Generator {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      for (const bad of spoiled(item)) yield value.with(index, bad);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      const rest = Object.entries(value).filter(([other]) => other !== key);
      if (!mayLack(key, value)) yield Object.fromEntries(rest);
      for (const bad of spoiled(item)) yield { ...value, [key]: bad };
    }
  }
  yield typeof value === 'string' ? 7.5 : 'no such thing!';
  yield null;
}

test('what lacks a key or has another type is refused by both schemas and by the decoder', () => {
  const refused = (work: () => unknown): boolean => {
    try {
      work();
      return false;
    } catch (error) {
      assert.ok(error instanceof OperatingError);
      return true;
    }
  };
  fc.assert(
    fc.property(manifest, receipt, (one, other) => {
      for (const [form, value, decode] of [
        ['manifest', one, decodeManifest],
        ['receipt', other, decodeReceipt],
      ] as const) {
        for (const bad of spoiled(value)) {
          const text = JSON.stringify(bad);
          assert.ok(!isJson(form, bad), `JSON Schema takes ${text}`);
          assert.ok(!cddl.matches(form, bad), `CDDL takes ${text}`);
          assert.ok(
            refused(() => decode(Buffer.from(text))),
            `the decoder takes ${text}`,
          );
        }
      }
    }),
    { numRuns: 15 },
  );
});
