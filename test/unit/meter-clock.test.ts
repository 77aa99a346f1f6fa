import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import { openMeterSession } from '#acquisition/meter-session.ts';
import { clockCheck } from '#gateway/meter-clock.ts';
import type { ClockCheckOptions } from '#gateway/meter-clock.ts';
import { openLink } from '#link/open.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import { LOWEST } from '#protocol/dlms/hls.ts';
import { wrapperServerLink } from '#protocol/wrapper/link.ts';
import { startCosemMeter } from '#sim/cosem-meter.ts';
import { CosemObjects } from '#sim/cosem-objects.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineEntropy } from '#system/entropy.ts';

const NOON = Date.UTC(2026, 10, 21, 12) / 1000;
const DAY_MS = 86_400_000;

/** A meter whose clock is `aheadS` ahead of the gateway's, and a session with it. */
async function meterAhead(
  context: TestContext,
  aheadS: number,
  shown: { readonly deviceName?: string; readonly openDeviation?: boolean } = {},
) {
  const clock = new VirtualClock({ second: NOON });
  const theirs = new VirtualClock({ second: NOON + aheadS });
  const objects = new CosemObjects({ clock: theirs, deviceName: 'NRM1', profileRows: 1, ...shown });
  const link = () => wrapperServerLink({ client: 16, server: 1 });
  const meter = await startCosemMeter({ clock, objects, link, port: 0 });
  const { port } = meter;
  const session = openMeterSession({
    link: openLink({ kind: 'tcp', host: '127.0.0.1', port }, { clock, entropy: machineEntropy }),
    connect: () =>
      new DlmsClient({
        link: meterLinkOf({ framing: 'wrapper', client: 16, logical: 1 }),
        referencing: 'LN',
        authenticator: LOWEST,
      }),
    clock,
  });
  context.after(async () => {
    await session.close();
    await meter.stop();
  });
  const check = (options: Partial<ClockCheckOptions> = {}) =>
    clockCheck({ everyMs: DAY_MS, offSeconds: 30, clock, zone: undefined, ...options });
  return { clock, session, check };
}

for (const [aheadS, setWithinSeconds, expected] of [
  [30, undefined, { offsetS: 30 }],
  [-31, undefined, { offsetS: -31, code: 'meter-clock-off' }],
  [31, 60, { offsetS: 0, setByS: -31 }],
  [-60, 60, { offsetS: 0, setByS: 60 }],
  [61, 60, { code: 'clock-step-too-large' }],
] as const) {
  const allowed = setWithinSeconds === undefined ? 'nothing may be set' : 'a minute may be set';
  test(`a meter's clock that is ${aheadS} s ahead, where ${allowed}`, async (context) => {
    const { session, check } = await meterAhead(context, aheadS);
    const seen = await check({ setWithinSeconds })(session);
    assert.ok(seen);
    const { failure, checkedMs, ...told } = seen;
    assert.equal(checkedMs, NOON * 1000);
    assert.deepEqual({ ...told, ...(failure && { code: failure.code }) }, expected);
  });
}

test('a clock without a deviation is held against what its meter shows', async (context) => {
  const zone = { offsetMin: () => 120, winterOffsetMin: () => 60 };
  const offsets = [];
  for (const deviceName of ['NRM1', 'KAM1']) {
    const { session, check } = await meterAhead(context, 0, { deviceName, openDeviation: true });
    offsets.push((await check({ zone })(session))?.offsetS);
  }
  const [byZone = NaN, byQuirk = NaN] = offsets;
  assert.equal(byQuirk - byZone, 3600, 'standard time all year');
});

test('a clock is looked at when it is due, and while ours is trusted', async (context) => {
  const { clock, session, check } = await meterAhead(context, 0);
  const look = check();
  clock.set(NOON, 'unknown');
  assert.equal(await look(session), undefined);
  clock.set(NOON, 'trusted');
  assert.equal((await look(session))?.offsetS, 0);
  assert.equal(await look(session), undefined, 'not again so soon');
});
