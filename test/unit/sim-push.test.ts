import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { meterLinkOf } from '#acquisition/meter-link.ts';
import { fromHex } from '#bytes/hex.ts';
import { parseConfiguration } from '#config/load.ts';
import { openDevices } from '#gateway/devices.ts';
import { openLink } from '#link/open.ts';
import { obisFrom } from '#protocol/cosem/obis.ts';
import { act, get } from '#protocol/dlms/procedure.ts';
import type { DlmsPushMessage } from '#protocol/dlms/push.ts';
import { DlmsPushConnection } from '#protocol/dlms/push.ts';
import type { Observation } from '#reading/reading.ts';
import { USUAL_KEYS, describedAsYaml, meterDescriptionFrom } from '#sim/cosem/read-description.ts';
import { serve } from '#sim/cosem/serve.ts';
import type { MeterFraming } from '#sim/cosem/simulated-meter.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import type { PushTold } from '#sim/cosem/tcp-push.ts';
import { TcpPush } from '#sim/cosem/tcp-push.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';
import { machineAesGcm } from '#system/cipher.ts';
import { machineClock as clock } from '#system/clock.ts';
import { endOf, runNormctl, startNormctl } from '../support/command-line.ts';
import { freePort } from '../support/mosquitto.ts';
import { PORTS, securityOf, sessionWith, tcpLink } from '../support/simulated-meter.ts';

const USUAL = meterDescriptionFrom('');
const { encryption, authentication } = USUAL_KEYS;
const KEYS = { encryption: fromHex(encryption), authentication: fromHex(authentication) };
const DISCONNECTOR = obisFrom('0-0:96.3.10*255');
const CONTROL_STATE = '0-0:96.3.10*255';

function pushing(push: Readonly<Record<string, unknown>>): typeof USUAL {
  const more = { client: 1, everySeconds: 900, retries: 3, retrySeconds: 1, ...push };
  return meterDescriptionFrom(describedAsYaml({ ...USUAL, push: more } as typeof USUAL));
}

async function listening(port = 0): Promise<Server & { readonly port: number }> {
  const server = createServer().listen(port, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return Object.assign(server, { port: (server.address() as AddressInfo).port });
}

/** Observations of a source that listens for pushes, as a gateway is configured for them. */
function observing(context: TestContext, port: number): AsyncIterator<Observation> {
  const folder = mkdtempSync(join(tmpdir(), 'normd-sim-push-'));
  const ring = { meter: { 'system-title': '4e524d0000000001', encryption, authentication } };
  writeFileSync(join(folder, 'keys.yaml'), JSON.stringify(ring), { mode: 0o600 });
  const link = { kind: 'tcp-listen', port };
  const source = { name: 'meter', protocol: 'dlms-push', link, authentication: 'require' };
  const text = JSON.stringify({ gateway: 'g', keyring: 'keys.yaml', sources: [source] });
  const loaded = parseConfiguration(text, join(folder, 'normd.yaml'));
  assert.ok('configuration' in loaded, JSON.stringify(loaded));
  const queue = queued<Observation>();
  const devices = openDevices(
    loaded.configuration,
    { take: queue.put },
    { ...PORTS, log: () => 0 },
  );
  context.after(async () => {
    await Promise.all(devices.map((device) => device.stop()));
    rmSync(folder, { recursive: true });
  });
  return queue;
}

interface Queue<Value> extends AsyncIterator<Value> {
  readonly put: (value: Value) => void;
}

function queued<Value>(): Queue<Value> {
  const values: Value[] = [];
  let wanted: ((value: IteratorResult<Value>) => void) | undefined;
  return {
    put(value) {
      if (wanted === undefined) values.push(value);
      else wanted({ done: false, value });
      wanted = undefined;
    },
    next: () =>
      new Promise((resolve) => {
        const [first] = values.splice(0, 1);
        if (first === undefined) wanted = resolve;
        else resolve({ done: false, value: first });
      }),
  };
}

async function nextOf<Value>(queue: AsyncIterator<Value>): Promise<Value> {
  return (await queue.next()).value as Value;
}

function switched(meter: SimulatedMeter, methodId: 1 | 2): void {
  const method = { classId: 70, instanceId: DISCONNECTOR, methodId };
  assert.equal(meter.objects.act({ method }).result, 'success');
}

test('a meter pushes its registers and its alarms to a source that listens', async (context) => {
  const port = await freePort();
  const observations = observing(context, port);
  const description = pushing({ destination: `127.0.0.1:${port}`, everySeconds: 1 });
  const meter = new SimulatedMeter({ clock, description });
  const { push, logical } = meter;
  assert.ok(push);
  const pushes = new TcpPush({ push, logical, ports: PORTS, told: () => undefined });
  context.after(() => pushes.stop());
  const first = await nextOf(observations);
  assert.deepEqual(first.quality, []);
  const energy = first.readings.find(({ object }) => object === '1-0:1.8.0*255');
  assert.equal(energy?.unit, 'Wh');
  switched(meter, 1);
  for (;;) {
    const { readings } = await nextOf(observations);
    const state = readings.find(({ object }) => object.startsWith(CONTROL_STATE));
    if (state === undefined) continue;
    assert.equal(state.raw, 0);
    return;
  }
});

test('a push whose destination is away is tried again', async (context) => {
  const port = await freePort();
  const description = pushing({ destination: `127.0.0.1:${port}` });
  const { push, logical } = new SimulatedMeter({ clock, description });
  assert.ok(push);
  const told = queued<PushTold>();
  const pushes = new TcpPush({ push, logical, ports: PORTS, told: told.put });
  context.after(() => pushes.stop());
  push.want('alarm');
  const failed = await nextOf(told);
  assert.equal(failed.kind === 'push-failed' && failed.failure.code, 'connection-refused');
  const server = await listening(port);
  context.after(() => server.close());
  let next = failed;
  while (next.kind !== 'pushed') next = await nextOf(told);
  assert.equal(next.reason, 'alarm');
});

/** What a receiver of pushes makes of the octets of a line. */
function receivedFrom(octets: readonly Uint8Array[]): readonly DlmsPushMessage[] {
  const framing = 'auto';
  const receiver = new DlmsPushConnection({
    framing,
    keys: KEYS,
    authentication: 'require',
    cipher: machineAesGcm,
  });
  receiver.start(0);
  const events = octets.flatMap((bytes) => receiver.receive(bytes, 0).events);
  return events.map((event) => {
    if (event.kind !== 'message') assert.fail(event.failure.code);
    return event.message;
  });
}

for (const framing of ['hdlc', 'wrapper'] as const satisfies readonly MeterFraming[]) {
  test(`on a line with ${framing} it speaks up when an interval is over, and at once`, () => {
    const virtual = new VirtualClock();
    const meter = new SimulatedMeter({ clock: virtual, description: pushing({}) });
    const line = meter.connection(framing);
    line.start(0);
    assert.equal(line.deadline, 900_000);
    const [interval, ...more] = receivedFrom(line.expire(900_000).send);
    assert.ok(interval);
    assert.deepEqual(more, []);
    assert.equal(interval.unverified, false);
    assert.deepEqual(
      interval.items.map(({ obis, unit }) => [obis, unit]),
      [
        ['0-0:1.0.0*255', undefined],
        ['1-0:1.8.0*255', 'Wh'],
        ['1-0:2.8.0*255', 'Wh'],
        ['1-0:3.8.0*255', 'varh'],
      ],
    );
    assert.equal(line.deadline, 1_800_000);
    switched(meter, 1);
    switched(meter, 1);
    const [alarm, ...others] = receivedFrom(line.receive(new Uint8Array(0), 900_001).send);
    assert.deepEqual(alarm?.items[1]?.obis, CONTROL_STATE);
    assert.deepEqual(alarm.items[1].value, { type: 'enum', value: 0 });
    assert.deepEqual(others, [], 'the second time nothing was switched');
  });
}

test('who switches it over HDLC is told so on the same line, and can go on', async (context) => {
  const description = pushing({});
  const meter = new SimulatedMeter({ clock, description });
  const link = openLink({ kind: 'tcp-listen', port: 0 }, PORTS);
  context.after(() => link.close());
  const port = (await serve({ link, connect: () => meter.connection('hdlc'), clock })) ?? 0;
  const client = USUAL.associations.find((one) => one.client === 1);
  assert.ok(client);
  const session = sessionWith(
    tcpLink(port),
    () => meterLinkOf({ framing: 'hdlc', client: 1, logical: 1 }),
    () => securityOf(client, 1),
  );
  try {
    const method = { classId: 70, instanceId: DISCONNECTOR, methodId: 1 };
    await session.run(act({ method, parameters: { type: 'integer', value: 0 } }));
    const state = { classId: 70, instanceId: DISCONNECTOR, attributeId: 3 };
    assert.deepEqual(await session.run(get(state)), { type: 'enum', value: 0 });
  } finally {
    await session.close();
  }
});

test('a push to a client that the meter has not, or to nowhere, is a bad description', () => {
  assert.throws(() => pushing({ client: 99 }), { code: 'bad-meter' });
  assert.throws(() => pushing({ destination: 'nowhere' }), { code: 'bad-meter' });
});

test('normctl sim meter tells what it pushed, and its push setup can be read', async (context) => {
  const server = await listening();
  context.after(() => server.close());
  const arrived = new Promise((resolve) => {
    server.once('connection', (socket) => socket.once('data', resolve));
  });
  const words = ['sim', 'meter', '--tcp', '0', '--json', '--push-every', '1'];
  const child = startNormctl([...words, '--push', `127.0.0.1:${server.port}`]);
  const lines = queued<Readonly<Record<string, unknown>>>();
  let rest = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = `${rest}${String(chunk)}`.split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) lines.put(JSON.parse(line) as Readonly<Record<string, unknown>>);
  });
  let [port, pushed] = [0, false];
  while (port === 0 || !pushed) {
    const line = await nextOf(lines);
    if (line['kind'] === 'listening') port = Number(line['port']);
    pushed ||= line['kind'] === 'pushed';
  }
  await arrived;
  const at = ['--tcp', `127.0.0.1:${port}`];
  const name = ['0-0:25.1.0*255', 'send_destination_and_method'];
  const read = await runNormctl(['meter', 'read', ...name, ...at]);
  assert.match(read.out, /TCP/, read.err);
  const ended = endOf(child);
  child.kill('SIGINT');
  assert.equal((await ended).status, 0);
});
