import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '#bytes/hex.ts';
import type { HdlcAddress } from '#protocol/hdlc/address.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import type { HdlcParameters } from '#protocol/hdlc/parameters.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import type { Entropy } from '#system/entropy.ts';
import { GOOD_WIRE, HdlcWire, type WireEnd, type WireFaults } from '../support/hdlc-wire.ts';
import { seeded } from '../support/seeded.ts';

const ADDRESSES: readonly HdlcAddress[] = [
  { upper: 1, length: 1 },
  { upper: 1, lower: 17, length: 2 },
  { upper: 0x3fff, lower: 0x1234, length: 4 },
];

interface Course {
  readonly outcome: string;
  readonly requests: readonly string[];
  readonly answers: readonly string[];
  readonly taken: readonly string[];
  readonly got: readonly string[];
  readonly frames: number;
  readonly discarded: readonly string[];
}

interface Setting {
  readonly seed: number;
  readonly faults: WireFaults;
  readonly proposal: HdlcParameters;
  readonly limits: HdlcParameters;
  readonly server: HdlcAddress;
  readonly stuffing?: boolean;
  readonly exchanges?: number;
}

const EXCHANGES = 12;
const TURNS_MAX = 200_000;

function apdus(entropy: Entropy, count: number): Uint8Array[] {
  // Flags, escapes and LLC headers inside, since those are what a framer may stumble over.
  const salt = [0x7e, 0x7d, 0xe6, 0xe7, 0x00];
  return Array.from({ length: count }, () => {
    const length = 1 + Math.floor(entropy.fraction() ** 3 * 6000);
    const bytes = entropy.bytes(length);
    for (let index = 1; index < length; index += 7) {
      bytes[index] = salt[Math.floor(entropy.fraction() * salt.length)] ?? 0;
    }
    bytes[0] = 0xc0;
    return bytes;
  });
}

/** A client asks, a server answers, over one wire; until all is said, or the client gives up. */
function courseOf(setting: Setting): Course {
  const { seed, faults, proposal, limits, server: address, stuffing = false } = setting;
  const entropy = seeded(seed);
  const count = setting.exchanges ?? EXCHANGES;
  const requests = apdus(entropy, count);
  const answers = apdus(entropy, count);
  const taken: string[] = [];
  const got: string[] = [];
  const discarded: string[] = [];
  let outcome = 'endless';
  const client: WireEnd = {
    link: new HdlcClientLink({ client: ADDRESS, server: address, proposal, stuffing, attempts: 6 }),
    told(event, at) {
      if (event.kind === 'stalled') outcome = event.failure.code;
      else if (event.kind === 'discarded') discarded.push(event.failure.code);
      else if (event.message.kind === 'closed') outcome = 'closed';
      else {
        if (event.message.kind === 'apdu') got.push(toHex(event.message.bytes));
        const next = requests[got.length];
        wire.take(client, next ? client.link.send(next, at) : client.link.close(at));
      }
    },
  };
  const server: WireEnd = {
    link: new HdlcServerLink({ server: address, limits, stuffing, inactivityMs: 1e9 }),
    told(event, at) {
      if (event.kind !== 'message' || event.message.kind !== 'apdu') return;
      const answer = answers[taken.length];
      taken.push(toHex(event.message.bytes));
      if (answer !== undefined) wire.take(server, server.link.send(answer, at));
    },
  };
  const wire = new HdlcWire([client, server], faults, entropy);
  wire.take(server, server.link.start(0));
  wire.take(client, client.link.start(0));
  for (let turn = 0; outcome === 'endless' && turn < TURNS_MAX; turn += 1) {
    if (!wire.advance()) outcome = 'stuck';
  }
  const hex = (list: readonly Uint8Array[]): string[] => list.map((bytes) => toHex(bytes));
  const { frames } = wire;
  return { outcome, requests: hex(requests), answers: hex(answers), taken, got, frames, discarded };
}

const ADDRESS: HdlcAddress = { upper: 0x10, length: 1 };

function parameters(information: number, window: number): HdlcParameters {
  return {
    informationTransmit: information,
    informationReceive: information,
    windowTransmit: window,
    windowReceive: window,
  };
}

function drawn(entropy: Entropy): HdlcParameters {
  const information = (): number => 128 + Math.floor(entropy.fraction() * 1903);
  const window = (): number => 1 + Math.floor(entropy.fraction() * 7);
  return {
    informationTransmit: information(),
    informationReceive: information(),
    windowTransmit: window(),
    windowReceive: window(),
  };
}

test('every window, length and address carries every APDU once and in order', () => {
  let seed = 1;
  for (const server of ADDRESSES) {
    for (const stuffing of [false, true]) {
      for (const information of [128, 129, 255, 256, 1024, 2030]) {
        for (let window = 1; window <= 7; window += 1) {
          const agreed = parameters(information, window);
          const setting = { seed: (seed += 1), proposal: agreed, limits: agreed, server, stuffing };
          const course = courseOf({ ...setting, faults: GOOD_WIRE, exchanges: 3 });
          assert.equal(course.outcome, 'closed', JSON.stringify(setting));
          assert.deepEqual(course.taken, course.requests);
          assert.deepEqual(course.got, course.answers);
          assert.deepEqual(course.discarded, []);
        }
      }
    }
  }
});

test('a wire that cuts, drops, damages, doubles and delays costs no APDU and doubles none', () => {
  let completed = 0;
  const codes = new Set<string>();
  const runs = 150;
  for (let seed = 1; seed <= runs; seed += 1) {
    const entropy = seeded(seed * 7919);
    const rate = (): number => entropy.fraction() * 0.08;
    const faults = {
      drop: rate(),
      damage: rate(),
      duplicate: rate(),
      delayMs: entropy.fraction() * 400,
      cut: true,
    };
    const server = ADDRESSES[seed % 3] ?? ADDRESS;
    const setting = { seed, faults, server, proposal: drawn(entropy), limits: drawn(entropy) };
    const course = courseOf({ ...setting, stuffing: seed % 2 === 0 });
    const { outcome, taken, got, requests, answers } = course;
    assert.deepEqual(taken, requests.slice(0, taken.length), `seed ${seed}`);
    assert.deepEqual(got, answers.slice(0, got.length), `seed ${seed}`);
    if (outcome === 'closed') {
      completed += 1;
      assert.equal(got.length, EXCHANGES, `seed ${seed}`);
    } else codes.add(outcome);
  }
  for (const code of codes) assert.ok(STALLS.has(code), code);
  assert.ok(completed >= runs * 0.95, `${completed} of ${runs} came through`);
});

/** How a client may give up. */
const STALLS = new Set(['no-answer', 'link-reset', 'link-rejected', 'out-of-sequence']);
