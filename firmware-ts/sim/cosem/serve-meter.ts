import { StreamLoop } from '#acquisition/stream-loop.ts';
import type { Failure } from '#bytes/failure.ts';
import type { Link, LinkOwner } from '#link/link.ts';
import type { ConnectionEvent } from '#protocol/connection.ts';
import type { DlmsServerMessage } from '#protocol/dlms/server/server.ts';
import type { Clock } from '#system/clock.ts';
import type { MeterFraming, SimulatedMeter } from './simulated-meter.ts';

export interface ServedMeter {
  readonly meter: SimulatedMeter;
  readonly link: Link;
  readonly framing: MeterFraming;
  readonly clock: Clock;
  readonly told?: (event: MeterTold) => void;
}

/** What happens at a simulated meter, for whoever watches it. */
export type MeterTold =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'waiting'; readonly failure: Failure }
  | { readonly kind: 'came' | 'went'; readonly peer: string }
  | {
      readonly kind: 'said';
      readonly peer: string;
      readonly event: ConnectionEvent<DlmsServerMessage>;
    };

/** Puts a simulated meter at the end of a link; each stream that comes up is served by itself. */
export function serveMeter({ meter, link, framing, clock, told }: ServedMeter): void {
  const owner: LinkOwner = {
    up(stream) {
      const { peer } = stream;
      told?.({ kind: 'came', peer });
      const loop = new StreamLoop(stream, meter.connection(framing), clock, (event) =>
        told?.({ kind: 'said', peer, event }),
      );
      loop.start();
      return {
        chunk: (bytes) => loop.receive(bytes),
        down() {
          loop.end();
          told?.({ kind: 'went', peer });
        },
      };
    },
    waiting: (failure) => told?.({ kind: 'waiting', failure }),
    ended: () => undefined,
    listening: (_address, port) => told?.({ kind: 'listening', port }),
  };
  link.open(owner);
}
