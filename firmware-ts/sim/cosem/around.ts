import type { Link, Stream, StreamHandler } from '#link/link.ts';

/** What stands between a stream and who speaks over it. */
export interface Between {
  /** Of what is sent: gives on what goes out. */
  readonly send: (bytes: Uint8Array, on: (bytes: Uint8Array) => void) => void;
  /** Of what comes; `back` sends without passing this again. */
  readonly receive: (
    bytes: Uint8Array,
    on: (bytes: Uint8Array) => void,
    back: (bytes: Uint8Array) => void,
  ) => void;
  /** The stream is gone, and what was on its way. */
  readonly end?: () => void;
}

/** The link, with something between each of its streams and its owner. */
export function around(link: Link, between: () => Between): Link {
  return {
    open(owner) {
      link.open({
        up: (stream) => joined(stream, between(), (changed) => owner.up(changed)),
        waiting: (failure, retryMs) => owner.waiting(failure, retryMs),
        ended: () => owner.ended(),
        listening: (address, port) => owner.listening?.(address, port),
        refused: (peer, failure) => owner.refused?.(peer, failure),
      });
    },
    close: () => link.close(),
  };
}

function joined(
  stream: Stream,
  { send, receive, end }: Between,
  up: (stream: Stream) => StreamHandler,
): StreamHandler {
  const out = (bytes: Uint8Array): void => stream.send(bytes);
  const setLine = stream.setLine?.bind(stream);
  const handler = up({
    peer: stream.peer,
    ...(setLine && { setLine }),
    send: (bytes) => send(bytes, out),
    reset: () => stream.reset(),
  });
  return {
    chunk: (bytes) => receive(bytes, (on) => handler.chunk(on), out),
    down(failure) {
      end?.();
      handler.down(failure);
    },
  };
}
