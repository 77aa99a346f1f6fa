import { OperatingError } from '#bytes/failure.ts';
import { credentialsReader } from '#identity/credentials.ts';
import type { Clock } from '#system/clock.ts';
import { mqttDialer } from './mqtt-session.ts';
import type { Dial, Dialing, Session, Target, TlsCredentials } from './session.ts';
import { targetOf } from './target.ts';
import type { UplinkOptions, UplinkPorts } from './uplink.ts';

/** Of the broker that has no weight of its own: further ones may be preferred to it or not. */
const MAIN_WEIGHT = 100;

/** One of the brokers of a back-end. */
export interface Broker {
  readonly url: string;
  readonly weight: number;
  readonly target: Target;
  /** Rejects with an OperatingError, whatever is wrong. */
  connect(dialing: Pick<Dialing, 'will' | 'signal'>): Promise<Session>;
}

/**
 * The brokers of `options`, in the order given.
 * Errors: `bad-url`, `plaintext-refused`, `credentials-missing`.
 */
export function brokersOf(
  options: UplinkOptions,
  { clock, dial }: Pick<UplinkPorts, 'clock' | 'dial'>,
): readonly Broker[] {
  const all = [{ url: options.url, weight: MAIN_WEIGHT }, ...(options.brokers ?? [])];
  return all.map(({ url, weight }) => {
    const target = targetOf(url);
    if (target.secure && options.credentials === undefined) {
      const hint = 'mqtts:// needs key, certificate and trust anchors.';
      throw new OperatingError('credentials-missing', 'no credentials for the broker', { hint });
    }
    // Each remembers how much of MQTT its broker speaks.
    const connect = connector(target, options, clock, dial ?? mqttDialer());
    return { url, weight, target, connect };
  });
}

function connector(
  target: Target,
  options: UplinkOptions,
  clock: Clock,
  dial: Dial,
): Broker['connect'] {
  const floor = (second: number): void => clock.believeFrom(second);
  const read = options.credentials && credentialsReader(options.credentials, floor);
  return async (dialing) => {
    const credentials = target.secure ? credentialsAt(clock, read) : undefined;
    return dial({
      ...dialing,
      target,
      clientId: options.gateway,
      ...(credentials === undefined ? {} : { credentials }),
    });
  };
}

/** Certificates prove nothing against a clock that was never set: time comes first. */
function credentialsAt(
  clock: Clock,
  read: ((nowMs: number) => TlsCredentials) | undefined,
): TlsCredentials | undefined {
  const { second, nanosecond, trust } = clock.wall();
  if (trust === 'untrusted') {
    throw new OperatingError('clock-not-trusted', 'the clock has not been set', {
      hint: 'Set the clock or wait for its synchronisation; until then nothing is sent.',
    });
  }
  return read?.(second * 1000 + nanosecond / 1e6);
}
