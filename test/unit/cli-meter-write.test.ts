import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openLink } from '#link/open.ts';
import { meterDescriptionFrom } from '#sim/cosem/read-description.ts';
import { serve } from '#sim/cosem/serve.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { machineClock as clock } from '#system/clock.ts';
import { envelope, runNormctl } from '../support/command-line.ts';
import { PORTS } from '../support/simulated-meter.ts';

const description = meterDescriptionFrom('associations: [{ client: 16, mechanism: lowest }]');
const link = openLink({ kind: 'tcp-listen', port: 0 }, PORTS);
let port = 0;

before(async () => {
  const meter = new SimulatedMeter({ clock, description });
  port = (await serve({ link, connect: () => meter.connection('wrapper'), clock })) ?? 0;
});

after(() => link.close());

function onMeter(...words: readonly string[]): ReturnType<typeof runNormctl> {
  return runNormctl(['meter', ...words, '--tcp', `127.0.0.1:${port}`]);
}

test('an attribute is written after a yes, and never without one, nor in a dry run', async () => {
  const threshold = ['write', 'limiter', 'threshold_normal', '5000'];
  const dry = await onMeter(...threshold, '--dry-run');
  assert.equal(dry.status, 0, dry.err);
  assert.equal(
    dry.out,
    '0-0:17.0.0*255 threshold_normal  5000  not written, it was 6000\n' +
      'double-long-unsigned  0600001388\n',
  );
  const unasked = await onMeter(...threshold, '--json');
  assert.equal(unasked.status, 2);
  assert.equal(envelope(unasked.out).problems?.[0]?.code, 'confirmation-needed');
  assert.match((await onMeter('read', 'limiter', 'threshold_normal')).out, / 6000\n$/);
  const written = await onMeter(...threshold, '--yes');
  assert.match(written.out, /5000 {2}written, it was 6000\n$/);
  assert.match((await onMeter('read', 'limiter', 'threshold_normal')).out, / 5000\n$/);
});

test('fields are written by name, and what does not fit is not written', async () => {
  const profile = '{"emergency_profile_id": 3, "emergency_activation_time": "2026-12-24T18:00",';
  const whole = `${profile} "emergency_duration": 3600}`;
  const written = await onMeter('write', '71/0-0:17.0.0', '8', whole, '--yes', '--json');
  assert.equal(written.status, 0, written.err);
  const { octets } = envelope(written.out).data as { octets: string };
  assert.equal(octets, '0203120003090c07ea0c1804120000008000ff0600000e10');
  const lacking = await onMeter('write', 'limiter', 'emergency_profile', `${profile} "x": 1}`);
  assert.equal(lacking.status, 2);
  assert.match(lacking.err, /^error bad-value: .*emergency_duration/);
  const large = await onMeter('write', 'limiter', 'min_over_threshold_duration', '4294967296');
  assert.match(large.err, /^error bad-value: .*4294967295/);
  const missing = await onMeter('write', 'limiter', 'colour', 'red');
  assert.match(missing.err, /^error usage: .*threshold_normal/);
});
