import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import { openUplink } from '#uplink/open.ts';
import { HangUps } from '#uplink/quarantine-rule.ts';
import { owe } from '../support/outbox.ts';
import { GATEWAY, scene, sequencesIn, sequencesOf, urlOf } from '../support/uplink.ts';

test('a broker that refuses everything does not empty the outbox', async (context) => {
  let ill = true;
  let refused = 0;
  const { store, broker, arrivals, until } = await scene(context, (arrival) =>
    ill && sequencesOf(arrival).some((number) => number > 0) ? 0x99 : 0,
  );
  await owe(store, 'm', 0, 40);
  const clock = new VirtualClock();
  const lines = new Map<string, number>();
  const asideAt: number[] = [];
  const log = (_: string, event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const times = (lines.get(event) ?? 0) + 1;
    lines.set(event, times);
    if (event !== 'uplink.refused') return;
    void store.quarantined(GATEWAY.backend).then(({ length }) => {
      asideAt.push(length);
      if (times === 5) [ill, refused] = [false, arrivals.length];
      clock.advance(Number(fields['retryMs']));
    });
  };
  const ports = { store, clock, entropy: machineEntropy, log };
  const uplink = openUplink({ ...GATEWAY, url: urlOf(broker) }, ports);
  context.after(() => uplink.stop());
  const taken = (): readonly number[] => sequencesIn(arrivals.slice(refused), 'm');
  await until(() => !ill && taken().includes(39));
  await uplink.stop();
  assert.deepEqual(asideAt, [3, 4, 4, 4, 5], 'each takes twice as many refusals as the one before');
  assert.equal((await store.quarantined(GATEWAY.backend)).length, 5);
  assert.equal((await store.due(GATEWAY.backend, 'measurement', 0, 100)).length, 0);
  assert.equal(lines.get('uplink.quarantined'), 1, 'told once a minute');
});

test('a broker that leaves over everything with a word sets aside ever more slowly', () => {
  const hangUps = new HangUps();
  const verdicts = Array.from({ length: 7 }, (_, at) => {
    const id = at < 1 ? 1 : at < 3 ? 2 : 3;
    const oldest = { id, of: 'measurement' } as const;
    return hangUps.lost({ code: 'payload-invalid', oldest, alone: true });
  });
  const [one, wait] = ['quarantine', 'alone'];
  assert.deepEqual(verdicts, [one, wait, one, wait, wait, wait, one]);
});
