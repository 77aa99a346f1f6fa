import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { DevelopmentCa, IssuedFiles } from '#identity/development-ca.ts';
import { type Mosquitto, startMosquitto } from './mosquitto.ts';
import { temporaryCa, temporaryFolder } from './outbox.ts';
import { startSubscriber, type Subscriber } from './subscriber.ts';

/** Somebody to whom readings go: an authority, a broker and a head-end that hears all of it. */
export interface TrustDomain {
  readonly ca: DevelopmentCa;
  readonly mosquitto: Mosquitto;
  /** What the gateway shows here. */
  readonly device: IssuedFiles;
  readonly headEnd: Subscriber;
  /** The broker is started again, and shows this certificate from now on. */
  readonly show: (certificate: IssuedFiles) => Promise<void>;
}

export async function openDomain(
  context: TestContext,
  extra: readonly string[] = [],
): Promise<TrustDomain> {
  const ca = await temporaryCa(context);
  const folder = temporaryFolder(context);
  const shown = { certificate: join(folder, 'broker.pem'), key: join(folder, 'broker.key') };
  const wear = async ({ certificate, key }: IssuedFiles): Promise<void> => {
    await Promise.all([cp(certificate, shown.certificate), cp(key, shown.key)]);
  };
  await wear(await ca.broker());
  const mosquitto = await startMosquitto({ ca: ca.anchor, ...shown, extra });
  context.after(() => mosquitto.dispose());
  const person = await ca.device('head-end');
  const headEnd = await startSubscriber({
    url: mosquitto.url,
    ca: ca.anchor,
    ...person,
    topics: ['#'],
  });
  context.after(() => headEnd.stop());
  return {
    ca,
    mosquitto,
    device: await ca.device('gw-1'),
    headEnd,
    async show(certificate) {
      await mosquitto.stop();
      await wear(certificate);
      await mosquitto.start();
    },
  };
}
