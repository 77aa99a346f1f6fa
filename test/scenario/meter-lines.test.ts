import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import type { Link } from '#link/link.ts';
import { openLink } from '#link/open.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import type { ProfilePart, ProfilePlace } from '#protocol/cosem/read-profile.ts';
import { readProfile } from '#protocol/cosem/read-profile.ts';
import type { ApduLink } from '#protocol/dlms/apdu-link.ts';
import { dateTimeFrom } from '#protocol/dlms/date-time.ts';
import { LOWEST } from '#protocol/dlms/hls.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import { around } from '#sim/cosem/around.ts';
import { faultsFrom, faulty } from '#sim/cosem/faults.ts';
import { ptyLink } from '#sim/cosem/pty.ts';
import { meterDescriptionFrom } from '#sim/cosem/read-description.ts';
import { serve } from '#sim/cosem/serve.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { throttled } from '#sim/cosem/throttled.ts';
import { Chance } from '#sim/life/chance.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineClock as clock } from '#system/clock.ts';
import { PORTS, sessionWith, tcpLink, timesIn } from '../support/simulated-meter.ts';

const ROWS = 24;
const BAUD = 115_200;
const PROFILE = obisFrom('1-0:99.1.0*255');
/** So that a block of the profile has a few rows. */
const CLIENT_PDU_BYTES = 160;

/** A meter whose line breaks once it has said so many frames more; then it may be mended. */
interface Breaking {
  framesLeft: number;
  /** Frames that it has said. */
  said: number;
}

function breaking(link: Link, state: Breaking): Link {
  return around(link, () => ({
    send(bytes, on) {
      state.said += 1;
      state.framesLeft -= 1;
      if (state.framesLeft >= 0) on(bytes);
    },
    receive: (bytes, on) => on(bytes),
  }));
}

/** A meter with one load profile that stays as it is, and how a client comes to it. */
interface Standing extends AsyncDisposable {
  readonly state: Breaking;
  readonly client: () => Link;
}

async function meterAt(line: 'tcp' | 'pty', faults: string): Promise<Standing> {
  const folder = mkdtempSync(join(tmpdir(), 'normd-lines-'));
  const path = join(folder, 'meter.tty');
  const bare =
    line === 'tcp'
      ? openLink({ kind: 'tcp-listen', port: 0 }, PORTS)
      : throttled(ptyLink(path, PORTS), BAUD, clock);
  const state = { framesLeft: Infinity, said: 0 };
  const bad = faulty(bare, faultsFrom(faults), { clock, chance: new Chance('meter-lines') });
  const link = breaking(bad, state);
  const description = meterDescriptionFrom(`profile: { rows: ${ROWS}, capacity: ${ROWS} }`);
  // Its own clock stands still: no row comes while the profile is read.
  const meter = new SimulatedMeter({ clock: new VirtualClock(), description });
  const port = await serve({ link, connect: () => meter.connection('hdlc'), clock });
  const serial = { kind: 'serial', path, baud: BAUD, format: '8N1' } as const;
  return {
    state,
    client: () => (line === 'tcp' ? tcpLink(port ?? 0) : openLink(serial, PORTS)),
    async [Symbol.asyncDispose]() {
      await link.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** How long an answer is waited for, and how often. */
interface Patience {
  readonly responseMs: number;
  readonly attempts: number;
}

/** On a line that is dead nothing is worth waiting for. */
const NONE: Patience = { responseMs: 80, attempts: 1 };
/** On a busy machine answers come late. */
const MUCH: Patience = { responseMs: 1000, attempts: 5 };

function apduLink(patience: Patience): ApduLink {
  return new HdlcClientLink({
    client: { upper: 16, length: 1 },
    server: { upper: 1, length: 1 },
    interOctetMs: 30,
    ...patience,
  });
}

/** The clock of each row that was stored, in order. */
type Stored = Uint8Array[];

function partBehind(stored: Stored): { readonly part: ProfilePart; readonly after?: ProfilePlace } {
  const time = stored.at(-1);
  if (time === undefined) return { part: { kind: 'all' } };
  const rows = stored.filter((one) => toHex(one) === toHex(time)).length;
  const from = dateTimeFrom(time);
  return { part: { kind: 'range', from, to: { ...from, year: 2100 } }, after: { time, rows } };
}

/** Reads on behind what is stored, and stores; whether the end was reached. */
async function readOn(standing: Standing, stored: Stored, patience: Patience): Promise<boolean> {
  const security = () => ({ authenticator: LOWEST, clientMaxReceivePduSize: CLIENT_PDU_BYTES });
  const session = sessionWith(standing.client(), () => apduLink(patience), security);
  try {
    await session.run(
      readProfile({ logicalName: PROFILE, ...partBehind(stored) }),
      (told) => void stored.push(...timesIn(told)),
    );
    return true;
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return false;
  } finally {
    session.abandon();
    await session.close();
  }
}

/** A bad line takes several tries; more than these would be a line that never gets through. */
const TRIES_MAX = 20;

async function readToTheEnd(standing: Standing, stored: Stored): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    if (await readOn(standing, stored, MUCH)) return;
  }
  assert.fail(`not read in ${TRIES_MAX} tries`);
}

const LINES = [
  { line: 'tcp', faults: '' },
  { line: 'tcp', faults: 'noise:0.05,lost:0.03,fcs:0.03' },
  { line: 'pty', faults: '' },
  { line: 'pty', faults: 'noise:0.05,lost:0.02' },
] as const;

const withoutSocat =
  spawnSync('socat', ['-V']).status === 0 ? false : 'socat is missing: no pseudo-terminal';

for (const { line, faults } of LINES) {
  const skip = line === 'pty' ? withoutSocat : false;
  const bad = faults === '' ? 'clean' : faults;
  test(`over ${line}, ${bad}, a profile cut at any frame is resumed`, { skip }, async () => {
    await using standing = await meterAt(line, faults);
    const whole: Stored = [];
    await readToTheEnd(standing, whole);
    assert.equal(new Set(whole.map(toHex)).size, ROWS);
    const { said } = standing.state;
    let cuts = 0;
    for (let frames = 1; frames < said; frames += 1) {
      const stored: Stored = [];
      standing.state.framesLeft = frames;
      await readOn(standing, stored, NONE);
      standing.state.framesLeft = Infinity;
      if (stored.length > 0 && stored.length < ROWS) cuts += 1;
      await readToTheEnd(standing, stored);
      assert.deepEqual(stored.map(toHex), whole.map(toHex), `cut after ${frames} frames`);
    }
    assert.ok(cuts >= 5, `${cuts} cuts between rows`);
  });
}
