import { StreamLoop } from '#acquisition/stream-loop.ts';
import type { Failure } from '#bytes/failure.ts';
import { errorOf } from '#bytes/failure.ts';
import type { Link, Stream, StreamHandler } from '#link/link.ts';
import type { Connection, ConnectionEvent } from '#protocol/connection.ts';
import type { Clock } from '#system/clock.ts';

export interface Served<Message> {
  readonly link: Link;
  /** The device's side of each stream that comes up. */
  readonly connect: () => Connection<Message>;
  readonly clock: Clock;
  readonly told?: (event: ServedTold<Message>) => void;
}

/** What happens at a simulated device, for whoever watches it. */
export type ServedTold<Message> =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'waiting'; readonly failure: Failure }
  | { readonly kind: 'came' | 'went'; readonly peer: string }
  | { readonly kind: 'said'; readonly peer: string; readonly event: ConnectionEvent<Message> };

/**
 * Puts a simulated device at the end of a link; each stream that comes up is served by itself.
 * Resolves when somebody can come, with the port on a network. Rejects with the reason if there is
 * no place for it; once there was, the link mends itself.
 */
export function serve<Message>(served: Served<Message>): Promise<number | undefined> {
  const { link, told } = served;
  const standing = Promise.withResolvers<number | undefined>();
  link.open({
    up(stream) {
      standing.resolve(undefined);
      return streamOf(served, stream);
    },
    waiting(failure) {
      told?.({ kind: 'waiting', failure });
      standing.reject(errorOf(failure));
    },
    ended: () => undefined,
    listening(_address, port) {
      told?.({ kind: 'listening', port });
      standing.resolve(port);
    },
  });
  return standing.promise;
}

function streamOf<Message>(
  { connect, clock, told }: Served<Message>,
  stream: Stream,
): StreamHandler {
  const { peer } = stream;
  told?.({ kind: 'came', peer });
  const loop = new StreamLoop(stream, connect(), clock, (event) => {
    told?.({ kind: 'said', peer, event });
  });
  loop.start();
  return {
    chunk: (bytes) => loop.receive(bytes),
    down() {
      loop.end();
      told?.({ kind: 'went', peer });
    },
  };
}
