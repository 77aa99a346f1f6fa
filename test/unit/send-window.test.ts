import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '#sim/virtual-clock.ts';
import type { Clock } from '#system/clock.ts';
import { Attention } from '#uplink/attention.ts';
import { SendWindow, type Flying } from '#uplink/send-window.ts';

/** A line that carries one message after another, and a broker at its end. */
interface Line {
  readonly bytesPerSecond: number;
  /** From the end of a message on the line to its acknowledgement. */
  readonly delayMs: number;
  /** What the broker spends on each message. */
  readonly messageMs?: number;
  readonly receiveMaximum?: number;
  /** The sender attends to what has come only so often. */
  readonly turnMs?: number;
}

interface Flow {
  readonly window: SendWindow;
  readonly clock: VirtualClock;
  /** Bytes acknowledged so far. */
  bytes: number;
  messages: number;
  /** Sends one more that is urgent; how long until its answer. */
  readonly urgent: () => Promise<number>;
  line: Line;
}

/** As `clock` looks to a process that is busy: it is late for all that is due within a turn. */
function turning(clock: VirtualClock, turnMs: () => number): Pick<Clock, 'monotonic' | 'after'> {
  return {
    monotonic: () => clock.monotonic(),
    after(delayMs, run) {
      const dueMs = clock.monotonic() + delayMs;
      const turn = turnMs();
      const turnedMs = turn === 0 ? dueMs : Math.ceil(dueMs / turn) * turn;
      return clock.after(turnedMs - clock.monotonic(), run);
    },
  };
}

/** A backlog without end of messages of `size` bytes, or of the largest packs for `packs`. */
function flow(line: Line, size: number | 'packs'): Flow {
  const clock = new VirtualClock();
  const process = turning(clock, () => state.line.turnMs ?? 0);
  const attention = new Attention(process);
  const window = new SendWindow(line.receiveMaximum ?? 65_535);
  let freeMs = 0;
  const transmit = (bytes: number, done: () => void): void => {
    const { bytesPerSecond, delayMs, messageMs = 0 } = state.line;
    const now = clock.monotonic();
    freeMs = Math.max(freeMs, now) + (bytes * 1000) / bytesPerSecond + messageMs;
    const flying: Flying = window.sent(bytes, now);
    process.after(freeMs + delayMs - now, () => {
      window.answered(flying, clock.monotonic(), false, attention.unseenMs);
      state.bytes += bytes;
      state.messages += 1;
      done();
    });
  };
  const pump = (): void => {
    while (window.hasPlace(false)) transmit(size === 'packs' ? window.packBytesMax : size, pump);
  };
  const state: Flow = {
    window,
    clock,
    bytes: 0,
    messages: 0,
    line,
    urgent: () =>
      new Promise((resolve) => {
        assert.ok(window.hasPlace(true), 'a place for what is urgent');
        const began = clock.monotonic();
        transmit(200, () => resolve(clock.monotonic() - began));
      }),
  };
  attention.begin();
  pump();
  return state;
}

/** Share of the line that is used in `seconds` from now on. */
function usage(state: Flow, seconds: number): number {
  const before = state.bytes;
  state.clock.advance(seconds * 1000);
  return (state.bytes - before) / (state.line.bytesPerSecond * seconds);
}

test('a line of 100 ms is full after seconds, with packs and with small messages', () => {
  for (const size of ['packs', 1000] as const) {
    const state = flow({ bytesPerSecond: 1_000_000, delayMs: 100 }, size);
    state.clock.advance(3000);
    const used = usage(state, 120);
    assert.ok(used > 0.9, `${size}: ${used}`);
  }
});

test('on loopback the broker is the limit, however little it takes at once', () => {
  for (const receiveMaximum of [20, 1000, 65_535]) {
    const broker = { messageMs: 0.05, delayMs: 0.1, receiveMaximum };
    const state = flow({ bytesPerSecond: 1e9, ...broker }, 200);
    state.clock.advance(2000);
    const perSecond = (state.messages * 1000) / state.clock.monotonic();
    assert.ok(perSecond > 0.95 * 19_920, `${receiveMaximum}: ${perSecond}`);
  }
});

test('on a slow line the queue stays short: what is urgent waits two seconds at most', async () => {
  const state = flow({ bytesPerSecond: 10_000, delayMs: 150 }, 'packs');
  state.clock.advance(60_000);
  for (let count = 0; count < 20; count += 1) {
    const took = state.urgent();
    const used = usage(state, 30);
    assert.ok(used > 0.95, `used ${used}`);
    assert.ok((await took) < 2000, `${await took} ms`);
  }
});

test('a line that becomes slow makes the window shrink within seconds', () => {
  const state = flow({ bytesPerSecond: 5_000_000, delayMs: 50 }, 'packs');
  state.clock.advance(10_000);
  assert.ok(state.window.size > 50);
  state.line = { bytesPerSecond: 50_000, delayMs: 50 };
  state.clock.advance(30_000);
  assert.ok(state.window.size <= 8, `${state.window.size} places`);
});

test('a longer way is found out, and its line is filled, too', () => {
  const state = flow({ bytesPerSecond: 5_000_000, delayMs: 10 }, 'packs');
  state.clock.advance(10_000);
  state.line = { bytesPerSecond: 5_000_000, delayMs: 300 };
  state.clock.advance(120_000);
  const used = usage(state, 60);
  assert.ok(used > 0.9, `used ${used}`);
});

test('a process that comes to be late itself fills the line, and does not flood it', () => {
  for (const turnMs of [100, 400, 1500]) {
    const line = { bytesPerSecond: 500_000, delayMs: 20 };
    const state = flow(line, 'packs');
    state.clock.advance(10_000);
    state.line = { ...line, turnMs };
    state.clock.advance(10_000);
    const before = state.bytes;
    const queuesMs = Array.from({ length: 120 }, () => {
      state.clock.advance(1000);
      return (state.window.size * 4096 * 1000) / line.bytesPerSecond;
    });
    const used = (state.bytes - before) / (line.bytesPerSecond * queuesMs.length);
    const queuedMs = queuesMs.reduce((sum, ms) => sum + ms, 0) / queuesMs.length;
    assert.ok(used > 0.8, `turns of ${turnMs} ms: used ${used}`);
    assert.ok(queuedMs < 4 * turnMs + 400, `turns of ${turnMs} ms: ${queuedMs} ms on the way`);
  }
});

test('a quota that is used up shrinks the window once in a round trip', () => {
  const window = new SendWindow(1000);
  const flying = Array.from({ length: 8 }, () => window.sent(100, 0));
  for (const one of flying) window.answered(one, 10, true);
  assert.equal(window.size, 7);
  for (let round = 1; round < 20; round += 1) {
    window.answered(window.sent(100, 10 + round), 11 + round, true);
  }
  assert.equal(window.size, 4);
});

test('whatever the answers, the window keeps its bounds and what the broker can receive', () => {
  const step = fc.record({
    passMs: fc.nat(5000),
    answer: fc.nat(),
    overQuota: fc.boolean(),
    urgent: fc.boolean(),
    bytes: fc.integer({ min: 1, max: 32_768 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 65_535 }), fc.array(step), (receiveMaximum, steps) => {
      const window = new SendWindow(receiveMaximum);
      const flying: Flying[] = [];
      let now = 0;
      for (const { passMs, answer, overQuota, urgent, bytes } of steps) {
        while (window.hasPlace(false)) flying.push(window.sent(bytes, now));
        if (urgent && window.hasPlace(true)) flying.push(window.sent(bytes, now));
        assert.ok(flying.length <= receiveMaximum);
        assert.equal(window.inFlight, flying.length);
        now += passMs;
        const [one] = flying.splice(answer % flying.length, 1);
        if (one !== undefined) window.answered(one, now, overQuota);
        assert.ok(window.size >= 1 && window.size <= 1024);
        assert.ok(window.packBytesMax >= 4096 && window.packBytesMax <= 32_768);
      }
    }),
  );
});
