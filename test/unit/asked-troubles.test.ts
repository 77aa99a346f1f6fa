import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { openAskedMeter } from '#acquisition/asked-meter.ts';
import type { Device, DeviceNotice } from '#acquisition/device.ts';
import { LineTurns } from '#acquisition/line-turns.ts';
import { meterAccess } from '#acquisition/meter-access.ts';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import { openMeterSession } from '#acquisition/meter-session.ts';
import { failureOf } from '#bytes/failure.ts';
import { fromHex } from '#bytes/hex.ts';
import { registerReader } from '#gateway/meter-reader.ts';
import { PUBLIC } from '#identity/association-keys.ts';
import { MeterKeys } from '#identity/meter-keys.ts';
import { RefusalLedger } from '#identity/refusal-ledger.ts';
import type { Refusals } from '#identity/refusal-ledger.ts';
import type { Link } from '#link/link.ts';
import { openLink } from '#link/open.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { LOWEST } from '#protocol/dlms/hls.ts';
import { FRAME_COUNTER } from '#protocol/dlms/resynchronise.ts';
import { encodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged } from '#protocol/hdlc/framer.ts';
import type { Observation } from '#reading/reading.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineCiphers } from '#system/ciphers.ts';
import { machineEntropy } from '#system/entropy.ts';
import { securedMeter } from '../support/secured-meter.ts';

const WEEK_MS = 7 * 86_400_000;
const HALF_A_DAY_MS = 43_200_000;
const QUARTER = { everyMs: 900_000, offsetMs: 0 };
const SECRET = new TextEncoder().encode('right');

interface Asking {
  readonly port: number;
  readonly secret?: string;
  readonly refusals?: Refusals;
  readonly objects?: readonly string[];
}

/** Meters on one line that are asked under a virtual clock, over real sockets. */
class Bench {
  readonly clock = new VirtualClock();
  readonly #turns = new LineTurns();
  readonly #context: TestContext;
  readonly #waiting: ((notice: DeviceNotice) => void)[] = [];
  readonly notices: DeviceNotice[] = [];

  constructor(context: TestContext) {
    this.#context = context;
  }

  /** The next notice of a kind. */
  async notice(kind: DeviceNotice['kind']): Promise<DeviceNotice> {
    for (;;) {
      const notice = await new Promise<DeviceNotice>((resolve) => this.#waiting.push(resolve));
      if (notice.kind === kind) return notice;
    }
  }

  ask({ port, secret = 'right', refusals, objects = ['1-0:1.8.0'] }: Asking) {
    const { clock } = this;
    const { promise: first, resolve } = Promise.withResolvers<Observation>();
    const device: Device = openAskedMeter({
      name: 'meter',
      line: 'bus',
      turns: this.#turns,
      slots: QUARTER,
      open: meterAccess({
        settings: { ...PUBLIC, mechanism: 'low' },
        keys: new MeterKeys({ name: 'meter', suite: 0, secret: new TextEncoder().encode(secret) }),
        clientTitle: new Uint8Array(8),
        client: 1,
        counterSource: { client: 16, object: FRAME_COUNTER },
        openLink: () =>
          openLink({ kind: 'tcp', host: '127.0.0.1', port }, { clock, entropy: machineEntropy }),
        apduLink: (client) => meterLinkOf({ framing: 'wrapper', client, logical: 1 }),
        clock,
        ciphers: machineCiphers,
      }),
      read: registerReader(objects, { source: 'meter', clock }),
      keep: ([observation]) => {
        if (observation !== undefined) resolve(observation);
        return Promise.resolve();
      },
      clock,
      entropy: machineEntropy,
      notice: (notice) => {
        this.notices.push(notice);
        for (const told of this.#waiting.splice(0)) told(notice);
      },
      ...(refusals === undefined ? {} : { refusals }),
    });
    this.#context.after(() => device.stop());
    clock.advance(0);
    return { device, first };
  }
}

function codeOf(notice: DeviceNotice): string {
  return 'failure' in notice ? notice.failure.code : '';
}

test('a wrong secret is tried three times, then not for a week', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'normd-refusals-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const refusals = (fingerprint: string): Refusals =>
    new RefusalLedger(join(folder, 'refusals')).of('meter', fingerprint);
  const meter = await securedMeter(context, { association: { mechanism: 'low', secret: SECRET } });
  const { port, callers } = meter;
  const codes: string[] = [];
  for (let restart = 0; restart < 3; restart += 1) {
    const bench = new Bench(context);
    const waiting = bench.notice('waiting');
    const { device } = bench.ask({ port, secret: 'wrong', refusals: refusals('a') });
    codes.push(codeOf(await waiting));
    await device.stop();
  }
  assert.deepEqual(codes, ['association-refused', 'association-refused', 'asking-paused']);
  assert.equal(callers.length, 3);
  const bench = new Bench(context);
  const paused = bench.notice('waiting');
  const { device } = bench.ask({ port, secret: 'wrong', refusals: refusals('a') });
  assert.equal(codeOf(await paused), 'asking-paused');
  assert.equal(device.state.failure?.code, 'asking-paused');
  bench.clock.advance(WEEK_MS - HALF_A_DAY_MS);
  assert.equal(callers.length, 3, 'neither slots nor restarts make it guess');
  const again = bench.notice('waiting');
  bench.clock.advance(HALF_A_DAY_MS);
  assert.equal(codeOf(await again), 'asking-paused');
  assert.equal(callers.length, 4);
  const changed = new Bench(context).ask({ port, refusals: refusals('b') });
  assert.equal((await changed.first).source, 'meter');
});

test('an object that is refused is told once, and stands in the status', async (context) => {
  const { port } = await securedMeter(context, {
    association: { mechanism: 'low', secret: SECRET },
  });
  const bench = new Bench(context);
  const told = bench.notice('object-refused');
  const { device, first } = bench.ask({ port, objects: ['1-0:1.8.0', '1-0:9.9.9'] });
  const notice = await told;
  assert.ok(notice.kind === 'object-refused');
  assert.deepEqual([notice.object, notice.failure.code], ['1-0:9.9.9*255', 'object-missing']);
  const { readings } = await first;
  assert.deepEqual(
    readings.map(({ object }) => object),
    ['0-0:1.0.0*255', '1-0:1.8.0*255'],
  );
  assert.deepEqual(Object.keys(device.state.refusedObjects ?? {}), ['1-0:9.9.9*255']);
});

/** Takes connections and says nothing; the result tells when it was asked. */
async function silentMeter(context: TestContext) {
  const asked = Promise.withResolvers<undefined>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', () => asked.resolve(undefined));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked: asked.promise };
}

test('a silent meter holds the line for a quarter of an answer', async (context) => {
  const silent = await silentMeter(context);
  const { port } = await securedMeter(context, {
    association: { mechanism: 'low', secret: SECRET },
  });
  const bench = new Bench(context);
  const waiting = bench.notice('waiting');
  bench.ask({ port: silent.port });
  const live = bench.ask({ port });
  await silent.asked;
  bench.clock.advance(15_000);
  assert.equal(codeOf(await waiting), 'no-bytes');
  assert.equal((await live.first).source, 'meter', 'and no more time went by');
});

/** A wire on which everything that is sent is answered at once. */
function scripted(answer: (sent: Uint8Array) => Uint8Array): Link {
  return {
    open(owner) {
      queueMicrotask(() => {
        const handler = owner.up({
          peer: 'wire',
          send: (bytes) => {
            const back = answer(bytes);
            if (back.length > 0) queueMicrotask(() => handler.chunk(back));
          },
          reset: () => handler.down(),
        });
      });
    },
    close: () => Promise.resolve(),
  };
}

test('what came instead of an answer says what to look at', async () => {
  const noise = fromHex('55aa55aa55aa');
  const frame = encodeHdlcFrame({
    segmented: false,
    destination: { upper: 16, length: 1 },
    source: { upper: 1, length: 1 },
    control: { kind: 'UA', poll: true },
    information: new Uint8Array(0),
  });
  const damaged = flagged(frame.with(-1, (frame.at(-1) ?? 0) ^ 1));
  for (const [framing, answer, code] of [
    ['hdlc', () => new Uint8Array(0), 'no-bytes'],
    ['hdlc', (sent: Uint8Array) => sent, 'only-echo'],
    ['hdlc', () => noise, 'garbled-line'],
    ['hdlc', () => damaged, 'damaged-frames'],
    ['wrapper', () => noise, 'garbled-line'],
  ] as const) {
    const clock = new VirtualClock();
    const session = openMeterSession({
      link: scripted(answer),
      connect: () =>
        new DlmsClient({
          link: meterLinkOf({ framing, client: 16, logical: 1, mayEcho: true }),
          referencing: 'LN',
          authenticator: LOWEST,
        }),
      clock,
    });
    const failed = session.associated().then(
      () => 'associated',
      (error: unknown) => failureOf(error).code,
    );
    await clock.run(60_000);
    assert.equal(await failed, code);
    await session.close();
  }
});
