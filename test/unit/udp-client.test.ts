import assert from 'node:assert/strict';
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { bytesFromLatin1, latin1FromBytes } from '#bytes/text.ts';
import { openLink } from '#link/open.ts';
import { meterDescriptionFrom } from '#sim/cosem/read-description.ts';
import { serve } from '#sim/cosem/serve.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineClock } from '#system/clock.ts';
import { runNormctl } from '../support/command-line.ts';
import { RecordingOwner } from '../support/link-owner.ts';
import { seeded } from '../support/seeded.ts';
import { PORTS } from '../support/simulated-meter.ts';

async function device(t: TestContext): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  t.after(() => socket.close());
  await once(socket, 'listening');
  return socket;
}

function opened(t: TestContext, host: string, port: number) {
  const clock = new VirtualClock();
  const owner = new RecordingOwner(() => clock.monotonic());
  const link = openLink({ kind: 'udp-client', host, port }, { clock, entropy: seeded(7) });
  link.open(owner);
  t.after(() => link.close());
  return { owner, link, clock };
}

test('datagrams go to one device, and only its own are heard', async (t) => {
  const [meter, stranger] = [await device(t), await device(t)];
  const { owner, link } = opened(t, '127.0.0.1', meter.address().port);
  const { stream } = await owner.next('up');
  stream.send(bytesFromLatin1('who?'));
  const [asked, { port }] = (await once(meter, 'message')) as [Buffer, { readonly port: number }];
  assert.equal(String(asked), 'who?');
  const told = Promise.withResolvers<undefined>();
  stranger.send('liar', port, '127.0.0.1', () => told.resolve(undefined));
  await told.promise;
  meter.send('me', port, '127.0.0.1');
  await owner.until(() => owner.received().length >= 2);
  assert.equal(latin1FromBytes(owner.received()), 'me');
  const farewell = once(meter, 'message');
  stream.send(bytesFromLatin1('bye'));
  await link.close();
  assert.equal(String((await farewell)[0]), 'bye');
});

test('a device that does not listen, or has no such name, is told and tried again', async (t) => {
  const meter = await device(t);
  const { port } = meter.address();
  const gone = createSocket('udp4').bind(0, '127.0.0.1');
  await once(gone, 'listening');
  const free = gone.address().port;
  await new Promise<void>((resolve) => gone.close(resolve));
  const { owner, clock } = opened(t, '127.0.0.1', free);
  (await owner.next('up')).stream.send(bytesFromLatin1('?'));
  const { failure, retryMs } = await owner.next('waiting');
  assert.equal(failure.code, 'connection-refused');
  clock.advance(retryMs);
  await owner.until(() => owner.of('up').length === 2);
  const nameless = opened(t, 'no-such-name.invalid', port);
  assert.match((await nameless.owner.next('waiting')).failure.code, /^name-not-resolved$/);
});

test('a meter is read over UDP', async () => {
  const description = meterDescriptionFrom('');
  const meter = new SimulatedMeter({ clock: machineClock, description });
  const link = openLink({ kind: 'udp', port: 0 }, PORTS);
  const connect = () => meter.connection('wrapper');
  const port = await serve({ link, connect, clock: machineClock });
  try {
    const at = ['--udp', `127.0.0.1:${port}`];
    const objects = await runNormctl(['meter', 'objects', ...at]);
    assert.match(objects.out, /^\d+ objects\n/, objects.err);
    const both = await runNormctl(['meter', 'objects', '--tcp', `127.0.0.1:${port}`, ...at]);
    assert.equal(both.status, 2);
  } finally {
    await link.close();
  }
});
