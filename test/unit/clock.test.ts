import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { failureOf, OperatingError } from '#bytes/failure.ts';
import type { TellEvent } from '#gateway/event-desk.ts';
import { raiseFloors, watchClock } from '#gateway/clock-watch.ts';
import { newestNotBefore } from '#identity/credentials.ts';
import { createDevelopmentCa } from '#identity/development-ca.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { BUILD_SECOND } from '#system/build-time.ts';
import { openMachineClock } from '#system/clock.ts';
import type { Log } from '#system/log.ts';
import { TimeFloors } from '#system/time-floor.ts';
import { brokersOf } from '#uplink/brokers.ts';
import type { Dial } from '#uplink/session.ts';

const DAY_MS = 86_400_000;
const NEVER = '/nonexistent';

function folder(context: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'normd-clock-'));
  context.after(() => rmSync(made, { recursive: true }));
  return made;
}

test('a wall clock before the build is not believed, whoever set it', (context) => {
  const mark = join(folder(context), 'synchronized');
  let nowMs = 5000;
  const clock = openMachineClock({ now: () => nowMs, synchronisedFile: mark });
  const before = clock.monotonic();
  const { second, nanosecond, trust, clock: whose } = clock.wall();
  assert.deepEqual([trust, whose], ['untrusted', 'gateway']);
  const stampMs = second * 1000 + nanosecond / 1e6;
  assert.ok(stampMs >= Math.floor(before) && stampMs <= clock.monotonic(), 'since the boot');
  nowMs = (BUILD_SECOND - 1) * 1000;
  writeFileSync(mark, '');
  assert.equal(clock.wall().trust, 'untrusted');
  nowMs = BUILD_SECOND * 1000 + 250;
  assert.deepEqual(clock.wall(), {
    second: BUILD_SECOND,
    nanosecond: 250_000_000,
    clock: 'gateway',
    trust: 'trusted',
  });
  rmSync(mark);
  assert.equal(clock.wall().trust, 'unknown');
});

test('monotonic time and the name of the boot are the same for two starts', (context) => {
  const bootFile = join(folder(context), 'boot_id');
  writeFileSync(bootFile, 'b7a0\n');
  const [one, other] = [openMachineClock({ bootFile }), openMachineClock({ bootFile })];
  assert.deepEqual([one.boot, other.boot], ['b7a0', 'b7a0']);
  const at = one.monotonic();
  assert.ok(other.monotonic() >= at);
  const unnamed = () => openMachineClock({ bootFile: NEVER }).boot;
  assert.notEqual(unnamed(), unnamed(), 'each start counts as a boot where none has a name');
});

test('a floor from a file holds for a day against a clock that is not synchronised', () => {
  const floors = new TimeFloors(1000);
  floors.raise(2000, 0);
  assert.equal(floors.trustAt(1999, false, 0), 'untrusted');
  assert.equal(floors.trustAt(2000, false, 0), 'unknown');
  assert.equal(floors.trustAt(1999, true, 0), 'trusted');
  assert.equal(floors.trustAt(999, true, 0), 'untrusted');
  // The clock that it came from may have leapt: nobody is kept offline for years.
  floors.raise(2000, DAY_MS / 2);
  assert.equal(floors.trustAt(1999, false, DAY_MS - 1), 'untrusted');
  assert.equal(floors.trustAt(1999, false, DAY_MS), 'unknown', 'nor is it for ever told anew');
});

test('the store and the youngest certificate tell a start how late it is', async (context) => {
  const issuedMs = Math.floor(Date.now() / 1000) * 1000;
  const authority = await createDevelopmentCa(join(folder(context), 'pki'), issuedMs);
  const files = await authority.device('gw-1');
  const notBefore = newestNotBefore(files) ?? 0;
  assert.ok(notBefore > BUILD_SECOND - 366 * 86_400);
  assert.equal(newestNotBefore({ certificate: NEVER }), undefined);

  const identity = { ...files, trust: authority.anchor };
  const backend = { name: 'utility', url: 'mqtts://broker', identity };
  const trustAt = (second: number, believedMs: number | undefined, backends: unknown) => {
    const clock = new VirtualClock({ second, trust: 'unknown' });
    const opening = { file: '', epoch: 1, ...(believedMs === undefined ? {} : { believedMs }) };
    // Of the configuration no more is read than the identities.
    raiseFloors(clock, { opening }, { backends: backends as [] });
    return clock.wall().trust;
  };
  assert.equal(trustAt(notBefore - 1, undefined, []), 'unknown');
  assert.equal(trustAt(notBefore - 1, undefined, [backend]), 'untrusted');
  assert.equal(trustAt(notBefore, undefined, [backend]), 'unknown');
  assert.equal(trustAt(1_799_999_999, 1_800_000_000_000, []), 'untrusted');
  assert.equal(trustAt(1_800_000_000, 1_800_000_000_999, []), 'unknown');
});

test('a certificate renewed in use tells how late it is with the next dial', async (context) => {
  const issuedMs = Date.UTC(2026, 10, 21);
  const ca = await createDevelopmentCa(join(folder(context), 'old'), issuedMs);
  const later = await createDevelopmentCa(join(folder(context), 'new'), issuedMs + 30 * DAY_MS);
  const credentials = { ...(await ca.device('gw-1')), anchors: [ca.anchor] };
  const clock = new VirtualClock({ second: issuedMs / 1000 + 86_400, trust: 'unknown' });
  const dial: Dial = () => Promise.reject(new OperatingError('connection-refused', 'no'));
  const options = { backend: 'u', gateway: 'gw-1', software: '', url: 'mqtts://broker' };
  const [broker] = brokersOf({ ...options, credentials }, { clock, dial });
  const will = { topic: 'st', payload: '' };
  const refusal = async (): Promise<unknown> => {
    const { signal } = new AbortController();
    return broker?.connect({ will, signal }).catch((error: unknown) => failureOf(error).code);
  };
  assert.equal(await refusal(), 'connection-refused');
  assert.equal(clock.wall().trust, 'unknown');
  const renewed = await later.device('gw-1');
  for (const name of ['key', 'certificate'] as const) {
    writeFileSync(credentials[name], readFileSync(renewed[name]));
  }
  assert.equal(await refusal(), 'certificate-not-yet-valid');
  assert.equal(clock.wall().trust, 'untrusted', 'it is the clock that is wrong');
  assert.equal(await refusal(), 'clock-not-trusted');
  clock.set(issuedMs / 1000 + 31 * 86_400, 'unknown');
  assert.equal(await refusal(), 'connection-refused');
});

test('a store hears once that the clock is believed, when it takes it', async () => {
  const clock = new VirtualClock({ second: 1_795_219_200, trust: 'trusted' });
  let asked = 0;
  const believe = (): Promise<void> => {
    asked += 1;
    return asked === 1 ? Promise.reject(new OperatingError('disk-full', '')) : Promise.resolve();
  };
  const noted: string[] = [];
  const log: Log = (_, event) => void noted.push(event);
  const end = watchClock({ clock, store: { believe }, log, tell: () => undefined });
  await clock.run(10 * 60_000);
  assert.equal(asked, 2);
  assert.deepEqual(noted, ['clock.trust', 'clock.not-noted']);
  clock.set(1_795_219_200, 'untrusted');
  await clock.run(60_000);
  clock.set(1_795_219_200, 'trusted');
  await clock.run(60_000);
  assert.equal(asked, 3, 'what was taken meanwhile has no date yet');
  end();
});

test('a step of the wall clock is told once, with its amount; setting it is not one', () => {
  const clock = new VirtualClock({ second: 5, trust: 'untrusted' });
  const told: unknown[] = [];
  let believed = 0;
  const store = { believe: () => Promise.resolve(void (believed += 1)) };
  const events: unknown[] = [];
  const tell: TellEvent = (event, fields) => events.push([event, fields]);
  const log: Log = (_, event, fields) => {
    told.push([event, fields?.['stepMs'] ?? fields?.['trust']]);
  };
  const end = watchClock({ clock, store, log, tell });
  clock.advance(60_000);
  assert.equal(believed, 0);
  clock.set(1_795_219_200, 'unknown');
  clock.advance(10_000);
  assert.equal(believed, 1);
  clock.step(-DAY_MS);
  clock.advance(60_000);
  clock.step(1_500); // a synchronisation may slew, and a leap second comes
  clock.advance(60_000);
  clock.step(14 * 365 * DAY_MS);
  clock.advance(60_000);
  assert.deepEqual(told, [
    ['clock.trust', 'untrusted'],
    ['clock.trust', 'unknown'],
    ['clock.stepped', -DAY_MS],
    ['clock.stepped', 14 * 365 * DAY_MS],
  ]);
  assert.deepEqual(events, [
    ['clock-corrected', {}],
    ['clock-corrected', { stepMs: -DAY_MS }],
    ['clock-corrected', { stepMs: 14 * 365 * DAY_MS }],
  ]);
  end();
  assert.equal(clock.next, undefined);
});

test('what was due before it was asked for runs at once', async (context) => {
  const complaints: Error[] = [];
  const hear = (warning: Error): void => void complaints.push(warning);
  process.on('warning', hear);
  context.after(() => void process.off('warning', hear));
  const clock = openMachineClock();
  for (const delayMs of [-0.01, -Infinity]) {
    await new Promise<void>((resolve) => void clock.after(delayMs, resolve));
  }
  assert.deepEqual(complaints, []);
});
