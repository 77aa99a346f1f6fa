import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { wrapperServerLink } from '#protocol/wrapper/link.ts';
import type { CosemMeter } from '#sim/cosem-meter.ts';
import { startCosemMeter } from '#sim/cosem-meter.ts';
import { CosemObjects } from '#sim/cosem-objects.ts';
import { machineClock } from '#system/clock.ts';
import { ASCII_LINES, envelope, runNormctl } from '../support/command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'normd-operate-'));
const clock = machineClock;
const objects = new CosemObjects({ clock, deviceName: 'NRM0000000000001', profileRows: 4 });
let meter: CosemMeter | undefined;

before(async () => {
  const link = () => wrapperServerLink({ client: 16, server: 1 });
  meter = await startCosemMeter({ clock, objects, link, port: 0 });
});

after(async () => {
  await meter?.stop();
  rmSync(folder, { recursive: true });
});

function onMeter(...words: readonly string[]): ReturnType<typeof runNormctl> {
  return runNormctl(['meter', ...words, '--tcp', `127.0.0.1:${meter?.port}`]);
}

test('a disconnector is switched after a yes, and never without one', async () => {
  const shown = await onMeter('disconnect');
  assert.equal(shown.out, 'connected  output closed, control mode 4\n');
  const unasked = await onMeter('disconnect', '--to', 'disconnected', '--json');
  assert.equal(unasked.status, 2);
  assert.equal(envelope(unasked.out).problems?.[0]?.code, 'confirmation-needed');
  assert.equal((await onMeter('disconnect')).out, shown.out);
  const opened = await onMeter('disconnect', '--to', 'disconnected', '--yes');
  assert.equal(opened.status, 0, opened.err);
  assert.equal(opened.out, 'disconnected  output open, control mode 4\n');
  const closed = await onMeter('disconnect', '--to', 'connected', '--yes', '--json');
  assert.deepEqual(envelope(closed.out).data, {
    outputState: true,
    controlState: 'connected',
    controlMode: 4,
  });
});

test('an image is transferred and verified, and activated only when asked', async () => {
  const image = Uint8Array.from({ length: 3333 }, (_, index) => index * 7);
  const file = join(folder, 'image.bin');
  writeFileSync(file, image);
  const nameless = await onMeter('image', file);
  assert.equal(nameless.status, 2);
  const sent = await onMeter('image', file, '--identifier', 'NRM-1.2');
  assert.equal(sent.status, 0, sent.err);
  assert.equal(sent.out, 'verification-successful  3333 bytes\n');
  assert.match(sent.err, ASCII_LINES);
  assert.match(sent.err, /^initiated .*\ntransferring {2}\d+ %/);
  assert.ok(objects.image.holds(image));
  const words = ['image', file, '--identifier', 'NRM-1.2', '--resume', '--activate', '--json'];
  const unasked = await onMeter(...words);
  assert.equal(envelope(unasked.out).problems?.[0]?.code, 'confirmation-needed');
  const activated = await onMeter(...words, '--yes');
  assert.deepEqual(envelope(activated.out).data, { status: 'activation-successful', bytes: 3333 });
  assert.doesNotMatch(activated.err, /transferring/);
});
