import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDevice } from '#acquisition/device.ts';
import type { Device, DeviceNotice } from '#acquisition/device.ts';
import { observing } from '#acquisition/observing.ts';
import type { Observations } from '#acquisition/observing.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Link, LinkOwner, StreamHandler } from '#link/link.ts';
import { QUIET } from '#protocol/connection.ts';
import type { Connection, Step } from '#protocol/connection.ts';
import type { Observation } from '#reading/reading.ts';
import { VirtualClock } from '#sim/virtual-clock.ts';

const TIME = { second: 1, nanosecond: 0, clock: 'gateway', trust: 'unknown' } as const;

/** A link whose streams the test opens and feeds by hand. */
class HandLink implements Link {
  owner: LinkOwner | undefined;
  readonly sent: string[] = [];
  closed = false;

  open(owner: LinkOwner): void {
    this.owner = owner;
  }

  connect(peer: string): StreamHandler {
    assert.ok(this.owner);
    let handler: StreamHandler | undefined = undefined;
    const send = (bytes: Uint8Array): void => {
      this.sent.push(`${peer} ${Buffer.from(bytes).toString()}`);
    };
    const reset = (): void => queueMicrotask(() => handler?.down());
    handler = this.owner.up({ peer, send, reset });
    return handler;
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

/** Every byte is a message of as many readings; 255 is noise; silence of 100 ms stalls it. */
class CountConnection implements Connection<number> {
  deadline = Infinity;
  #offset = 0;

  start(at: number): Step<number> {
    this.deadline = at + 100;
    return { send: [Buffer.from('hello')], events: [] };
  }

  receive(chunk: Uint8Array, at: number): Step<number> {
    this.deadline = at + 100;
    const failure = { code: 'noise', message: 'not for us' };
    const events = Array.from(chunk, (message) => {
      const place = { offset: this.#offset++, length: 1 };
      return message === 255
        ? ({ kind: 'discarded', ...place, failure } as const)
        : ({ kind: 'message', ...place, message } as const);
    });
    return { send: [], events };
  }

  expire(): Step<number> {
    this.deadline = Infinity;
    return {
      send: [],
      events: [{ kind: 'stalled', failure: { code: 'silent', message: 'no bytes' } }],
    };
  }

  stop(): Step<number> {
    return { send: [Buffer.from('bye')], events: [] };
  }
}

function observationsOf(count: number): Observations {
  if (count === 13) throw new OperatingError('unlucky', 'no such list');
  const reading = { object: '1-0:1.8.0*255', raw: count, scaler: 0, unit: 'Wh' };
  const readings = Array.from({ length: count }, () => reading);
  return [{ source: 'meter', time: TIME, quality: [], readings }];
}

function scene(connect: () => Connection<Observations>): {
  device: Device;
  link: HandLink;
  clock: VirtualClock;
  taken: Observation[];
  notices: DeviceNotice[];
} {
  const link = new HandLink();
  const clock = new VirtualClock();
  const taken: Observation[] = [];
  const notices: DeviceNotice[] = [];
  const device = openDevice({
    name: 'meter',
    link,
    connect,
    clock,
    take: (observation) => taken.push(observation),
    notice: (notice) => notices.push(notice),
  });
  return { device, link, clock, taken, notices };
}

const counting = (): Connection<Observations> => observing(new CountConnection(), observationsOf);

const failureCode = (device: Device): string | undefined => device.state.failure?.code;

test('a device greets, takes observations in order and says farewell', async () => {
  const { device, link, taken } = scene(counting);
  const stream = link.connect('a');
  stream.chunk(Uint8Array.of(2, 3));
  assert.deepEqual(
    taken.map(({ readings }) => readings.length),
    [2, 3],
  );
  assert.equal(device.state.link, 'up');
  assert.equal(device.state.readings, 5);
  await device.stop();
  assert.deepEqual(link.sent, ['a hello', 'a bye']);
  assert.ok(link.closed);
  stream.chunk(Uint8Array.of(4));
  assert.equal(taken.length, 2, 'nothing is taken after the stop');
});

test('noise and messages that cannot be converted are counted and the stream goes on', () => {
  const { device, link, taken, notices } = scene(counting);
  link.connect('a').chunk(Uint8Array.of(255, 13, 1));
  assert.equal(taken.length, 1);
  assert.equal(device.state.discarded, 2);
  const codes = notices.flatMap((notice) =>
    notice.kind === 'discarded' ? [notice.failure.code] : [],
  );
  assert.deepEqual(codes, ['noise', 'unlucky']);
  assert.equal(failureCode(device), undefined, 'a good message ends the trouble');
});

test('a silent peer is given up at its deadline, not before, and the stream is reset', async () => {
  const { device, link, clock } = scene(counting);
  const stream = link.connect('a');
  clock.advance(99);
  stream.chunk(Uint8Array.of(1));
  clock.advance(99);
  assert.equal(failureCode(device), undefined);
  clock.advance(1);
  assert.equal(failureCode(device), 'silent');
  await Promise.resolve();
  assert.equal(device.state.link, 'waiting');
  link.connect('b');
  assert.deepEqual(link.sent, ['a hello', 'b hello'], 'a new stream starts a new protocol state');
});

test('each stream of a listener has a protocol state of its own', () => {
  const { device, link, taken } = scene(counting);
  const first = link.connect('a');
  const second = link.connect('b');
  first.chunk(Uint8Array.of(255));
  second.chunk(Uint8Array.of(7));
  assert.equal(taken.length, 1);
  assert.deepEqual(device.state.peers, ['a', 'b']);
  first.down({ code: 'link-lost', message: 'cable' });
  assert.deepEqual(device.state.peers, ['b']);
  assert.equal(failureCode(device), 'link-lost');
});

test('a protocol that throws loses its stream, not the gateway', async () => {
  const { device, link } = scene(() => ({
    deadline: Infinity,
    start: () => QUIET,
    receive: () => {
      throw new TypeError('a defect');
    },
    expire: () => QUIET,
    stop: () => QUIET,
  }));
  link.connect('a').chunk(Uint8Array.of(1));
  assert.equal(failureCode(device), 'unexpected');
  await Promise.resolve();
  assert.equal(device.state.link, 'waiting');
});
