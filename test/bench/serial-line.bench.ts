import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import { openMeterSession } from '#acquisition/meter-session.ts';
import type { Link } from '#link/link.ts';
import { openLink } from '#link/open.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { readProfile } from '#protocol/cosem/read-profile.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { LOWEST } from '#protocol/dlms/hls.ts';
import { around } from '#sim/cosem/around.ts';
import { ptyLink } from '#sim/cosem/pty.ts';
import { meterDescriptionFrom } from '#sim/cosem/read-description.ts';
import { serve } from '#sim/cosem/serve.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { throttled } from '#sim/cosem/throttled.ts';
import { machineClock as clock } from '#system/clock.ts';
import { machineEntropy as entropy } from '#system/entropy.ts';
import type { Study } from './bench.ts';

const BAUD = 9600;
/** Start bit, eight data bits, stop bit. */
const BITS_PER_OCTET = 10;
const ROWS = 2880; // 30 days of quarter hours
const PORTS = { clock, entropy };

/** Octets of both directions: they take turns on the line. */
interface Count {
  octets: number;
}

function counted(link: Link, count: Count): Link {
  const add = (bytes: Uint8Array, on: (bytes: Uint8Array) => void): void => {
    count.octets += bytes.length;
    on(bytes);
  };
  return around(link, () => ({ send: add, receive: add }));
}

/** Seconds that a month of quarter hours took, and that its frames alone take on the line. */
async function read(path: string): Promise<{ readonly taken: number; readonly least: number }> {
  const description = meterDescriptionFrom(`profile: { rows: ${ROWS}, capacity: ${ROWS} }`);
  const meter = new SimulatedMeter({ clock, description });
  const count = { octets: 0 };
  const line = throttled(counted(ptyLink(path, PORTS), count), BAUD, clock);
  await serve({ link: line, connect: () => meter.connection('hdlc'), clock });
  const startMs = performance.now();
  const session = openMeterSession({
    link: openLink({ kind: 'serial', path, baud: BAUD, format: '8N1' }, PORTS),
    connect: () =>
      new DlmsClient({
        link: meterLinkOf({ framing: 'hdlc', client: 16, logical: 1 }),
        referencing: 'LN',
        authenticator: LOWEST,
      }),
    clock,
  });
  try {
    const logicalName = obisFrom('1-0:99.1.0*255');
    const { rows } = await session.run(readProfile({ logicalName, part: { kind: 'all' } }));
    assert.equal(rows, ROWS);
    const taken = (performance.now() - startMs) / 1000;
    return { taken, least: (count.octets * BITS_PER_OCTET) / BAUD };
  } finally {
    await session.close();
    await line.close();
  }
}

/** A profile over a serial line, by the real serial driver: what the line's own time is of it. */
const line: Study = {
  units: { 'line.9600.profile': 's', 'line.9600.share': 'share' },
  runs: 1,
  async run() {
    const folder = mkdtempSync(join(tmpdir(), 'normd-line-'));
    try {
      const { taken, least } = await read(join(folder, 'meter.tty'));
      return { 'line.9600.profile': taken, 'line.9600.share': least / taken };
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

export const studies: readonly Study[] = [line];
