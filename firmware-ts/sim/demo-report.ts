import type { GatewayStatus } from '#control/status.ts';
import type { Deliveries } from './delivery-ledger.ts';
import type { Scene } from './scene.ts';

/** Counts are of readings, except where the broker counts observations. */
export interface DemoReport {
  readonly normctl: 1;
  readonly verb: 'demo';
  readonly ok: boolean;
  readonly data: {
    readonly sources: readonly SourceReport[];
    readonly latencyMs: { readonly p50: number; readonly p99: number } | null;
    readonly broker: Deliveries;
    readonly exitStatus: number | null;
  };
}

interface SourceReport {
  readonly name: string;
  readonly protocol: string;
  readonly taken: number;
  readonly stored: number;
  readonly sent: number;
  readonly acknowledged: number;
}

export function reportOf(
  status: GatewayStatus,
  scene: Scene,
  exitStatus: number | null,
): DemoReport {
  const streams = status.backends.flatMap((backend) => backend.streams);
  const sources = status.sources.map(({ name, protocol, taken, stored }) => {
    const own = streams.find(({ stream }) => stream === name);
    return {
      name,
      protocol,
      taken,
      stored,
      sent: own?.sent ?? 0,
      acknowledged: own?.acknowledged ?? 0,
    };
  });
  const broker = scene.deliveries();
  const complete = sources.every(
    ({ taken, stored, acknowledged }) => taken > 0 && stored === taken && acknowledged === taken,
  );
  const latencyMs = status.backends[0]?.latencyMs ?? null;
  return {
    normctl: 1,
    verb: 'demo',
    ok: complete && broker.missing === 0 && broker.unreadable === 0 && exitStatus === 0,
    data: { sources, latencyMs, broker, exitStatus },
  };
}
