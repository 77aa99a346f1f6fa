import type { TestContext } from 'node:test';
import { mqttDialer } from '#uplink/mqtt-session.ts';
import type { Dialing, Session } from '#uplink/session.ts';
import { startScriptedBroker, type Script } from './scripted-broker.ts';

/** A session with a broker that plays `script`; both end with the test. Errors: of the dialler. */
export async function dialled(
  context: TestContext,
  script: Partial<Script>,
  dialing: Partial<Dialing> = {},
): Promise<Session> {
  const broker = await startScriptedBroker({ answer: () => 0, ...script });
  context.after(() => broker.stop());
  const session = await mqttDialer()({
    target: { host: '127.0.0.1', port: broker.port, secure: false },
    clientId: 'gw-1',
    will: { topic: 'will', payload: '' },
    signal: new AbortController().signal,
    ...dialing,
  });
  context.after(() => session.abort({ code: 'stopped', message: 'the test is over' }));
  return session;
}

/** What the broker says to a subscription to `rc`: `granted`, or the code of its refusal. */
export function subscribed(
  session: Session,
  received: (payload: Uint8Array) => void = () => undefined,
): Promise<string> {
  return new Promise((resolve) => {
    session.subscribe({ topic: 'rc', received }, (refusal) => resolve(refusal?.code ?? 'granted'));
  });
}
