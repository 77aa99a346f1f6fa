import { OperatingError } from '#bytes/failure.ts';
import { isLoopback } from '#system/loopback.ts';
import type { Target } from './session.ts';

const PORTS = { 'mqtts:': 8883, 'mqtt:': 1883 } as const;

/**
 * Where `url` leads. Readings leave the machine only inside TLS, so that `mqtt://` is good for
 * loopback alone. Errors: `bad-url`, `plaintext-refused`.
 */
export function targetOf(url: string): Target {
  const hint = 'Write mqtts://HOST:PORT.';
  const parsed = URL.parse(url);
  const protocol = parsed?.protocol;
  if (parsed === null || (protocol !== 'mqtts:' && protocol !== 'mqtt:')) {
    throw new OperatingError('bad-url', `no broker address: ${JSON.stringify(url)}`, { hint });
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '' || parsed.username !== '' || !['', '/'].includes(parsed.pathname)) {
    throw new OperatingError('bad-url', 'a broker address is a host and a port', { hint });
  }
  const secure = protocol === 'mqtts:';
  if (!secure && !isLoopback(host)) {
    throw new OperatingError('plaintext-refused', `mqtt://${host} would be sent unciphered`, {
      hint: `Use mqtts://${host}: plaintext is taken for loopback only.`,
    });
  }
  return { host, port: parsed.port === '' ? PORTS[protocol] : Number(parsed.port), secure };
}
