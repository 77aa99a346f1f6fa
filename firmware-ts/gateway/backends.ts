import type { BackendConfiguration, Configuration } from '#config/schema.ts';
import type { Store } from '#store/store.ts';
import { openUplink } from '#uplink/open.ts';
import { firstDialDelayMs } from '#uplink/pacing.ts';
import type { Uplink, UplinkOptions } from '#uplink/uplink.ts';
import type { GatewayPorts } from './ports.ts';
import { VERSION } from './version.ts';

type Identity = NonNullable<BackendConfiguration['identity']>;

export interface BackendPart {
  readonly name: string;
  readonly uplink: Uplink;
}

/** One uplink a back-end, each with its own identity and its own outbox. */
export function openBackends(
  { gateway, backends }: Configuration,
  store: Store,
  { clock, entropy, log, dial }: GatewayPorts,
): readonly BackendPart[] {
  return backends.map(({ name, identity, ...wish }) => {
    const firstDialMs = firstDialDelayMs(clock.monotonic(), entropy);
    const options = { ...wish, backend: name, gateway, software: VERSION, firstDialMs };
    const ports = { store, clock, entropy, log, ...(dial === undefined ? {} : { dial }) };
    return {
      name,
      uplink: openUplink(identity === undefined ? options : withIdentity(options, identity), ports),
    };
  });
}

function withIdentity(
  options: UplinkOptions,
  { key, certificate, trust }: Identity,
): UplinkOptions {
  return { ...options, credentials: { key, certificate, anchors: [trust] } };
}
