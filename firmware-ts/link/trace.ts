import type { TraceLine } from '#bytes/trace.ts';
import { traceHead, traceLine } from '#bytes/trace.ts';
import type { Clock } from '#system/clock.ts';
import type { Link, LinkOwner, Stream, StreamHandler } from './link.ts';

export interface TraceOptions {
  readonly clock: Clock;
  /** Passwords that the protocol sends as they are: made zero in what is written. */
  readonly secrets: readonly Uint8Array[];
  /** Takes one line, without its end. */
  readonly write: (line: string) => void;
}

/**
 * Begins a trace. The result makes of a client link one that also writes down what both sides say,
 * as it is said: of one link after another, in one trace.
 */
export function tracing({ clock, secrets, write }: TraceOptions): (link: Link) => Link {
  const startedMs = clock.monotonic();
  const { second } = clock.wall();
  write(traceHead(new Date(second * 1000).toISOString()));
  const note = (line: Untimed): void => {
    write(traceLine({ t: Math.round(clock.monotonic() - startedMs), ...line }));
  };
  const octets = (dir: 'tx' | 'rx', bytes: Uint8Array): void => {
    const masking = masksIn(bytes, secrets);
    const shown = bytes.map((byte, index) => (masking.has(index) ? 0 : byte));
    note({ dir, bytes: shown, masked: masking.size > 0 });
  };
  return (link) => ({
    open: (owner) => link.open(listening(owner, note, octets)),
    close: () => link.close(),
  });
}

type Untimed = TraceLine extends infer Line
  ? Line extends TraceLine
    ? Omit<Line, 't'>
    : never
  : never;
type Note = (line: Untimed) => void;
type Octets = (dir: 'tx' | 'rx', bytes: Uint8Array) => void;

function listening(owner: LinkOwner, note: Note, octets: Octets): LinkOwner {
  return {
    up(stream) {
      note({ event: 'up', text: stream.peer });
      const handler = owner.up(telling(stream, octets));
      return heard(handler, note, octets);
    },
    waiting(failure, retryMs) {
      note({ event: 'down', text: failure.code });
      owner.waiting(failure, retryMs);
    },
    ended: () => owner.ended(),
  };
}

function telling(stream: Stream, octets: Octets): Stream {
  const setLine = stream.setLine?.bind(stream);
  return {
    peer: stream.peer,
    ...(setLine && { setLine }),
    send(bytes) {
      octets('tx', bytes);
      stream.send(bytes);
    },
    reset: () => stream.reset(),
  };
}

function heard(handler: StreamHandler, note: Note, octets: Octets): StreamHandler {
  return {
    chunk(bytes) {
      octets('rx', bytes);
      handler.chunk(bytes);
    },
    down(failure) {
      note({ event: 'down', text: failure?.code ?? 'closed' });
      handler.down(failure);
    },
  };
}

/** A frame's end may cut a password in two: its pieces are masked from this length on. */
const PIECE_BYTES = 4;

/** Where octets of a secret stand. */
function masksIn(bytes: Uint8Array, secrets: readonly Uint8Array[]): ReadonlySet<number> {
  const masked = new Set<number>();
  for (const secret of secrets) {
    const length = Math.min(PIECE_BYTES, secret.length);
    const pieces = new Set<string>();
    for (let from = 0; length > 0 && from + length <= secret.length; from += 1) {
      pieces.add(secret.subarray(from, from + length).join());
    }
    for (let from = 0; from + length <= bytes.length; from += 1) {
      if (!pieces.has(bytes.subarray(from, from + length).join())) continue;
      for (let at = from; at < from + length; at += 1) masked.add(at);
    }
  }
  return masked;
}
