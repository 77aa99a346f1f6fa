import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDevelopmentCa } from '#identity/development-ca.ts';
import type { Clock } from '#system/clock.ts';
import type { BackendName, IdentityFiles } from './configuration.ts';
import { BACKENDS } from './configuration.ts';

const DAY_MS = 86_400_000;
/** Certificates last a year; clocks that are a day behind must find them valid already. */
const RENEWAL_MS = 270 * DAY_MS;
const BEFORE_MS = 3 * DAY_MS;

/** What the gateway proves itself with to each back-end, renewed in time. */
export interface Identities {
  readonly files: Readonly<Record<BackendName, IdentityFiles>>;
  /** Whether a certificate is one that this back-end knows. */
  readonly isOf: (backend: BackendName, certificate: string) => boolean;
}

/** Made before time begins, since keys come from outside of the seed. */
export async function issueIdentities(
  folder: string,
  clock: Clock,
  years: number,
): Promise<Identities> {
  const bornMs = clock.wall().second * 1000;
  const renewals = Math.ceil((years * 365 * DAY_MS) / RENEWAL_MS);
  const issued = new Map<BackendName, Set<string>>();
  const files: Partial<Record<BackendName, IdentityFiles>> = {};
  for (const name of BACKENDS) {
    const place = join(folder, name);
    mkdirSync(place, { recursive: true });
    const used = {
      key: join(place, 'key.pem'),
      certificate: join(place, 'certificate.pem'),
      trust: join(place, 'trust.pem'),
    };
    const known = new Set<string>();
    for (let renewal = 0; renewal <= renewals; renewal += 1) {
      const atMs = renewal * RENEWAL_MS;
      const own = join(place, String(renewal));
      const authority = await createDevelopmentCa(own, bornMs + atMs - BEFORE_MS);
      const { key, certificate } = await authority.device('gw-1');
      known.add(readFileSync(certificate, 'utf8'));
      const use = (): void => {
        copyFileSync(key, used.key);
        copyFileSync(certificate, used.certificate);
        copyFileSync(authority.anchor, used.trust);
      };
      if (renewal === 0) use();
      else clock.after(atMs, use);
    }
    issued.set(name, known);
    files[name] = used;
  }
  const { utility, grid } = files;
  if (utility === undefined || grid === undefined) throw new RangeError('a back-end has none');
  return {
    files: { utility, grid },
    isOf: (backend, certificate) => issued.get(backend)?.has(certificate) === true,
  };
}
