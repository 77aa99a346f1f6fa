import type { Finding, HouseRule } from './rule.ts';

/** Licences that put no restriction on normd's users (requirement G8). */
export const PERMISSIVE: ReadonlySet<string> = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'Unlicense',
  '(MIT OR Apache-2.0)',
]);

interface LockedPackage {
  readonly dev?: boolean;
  readonly license?: string;
}

/** Everything that can get into the bundle is permissively licensed. */
export const licences: HouseRule = {
  name: 'licences',
  check(files) {
    const path = 'package-lock.json';
    const lock = files.find((file) => file.path === path);
    if (lock === undefined) return [{ path, what: 'is missing' }];
    const { packages } = JSON.parse(lock.text) as { packages: Record<string, LockedPackage> };
    return Object.entries(packages)
      .filter(([name, { dev }]) => name !== '' && dev !== true)
      .filter(([, { license }]) => !PERMISSIVE.has(license ?? ''))
      .map(([name, { license }]): Finding => ({
        path,
        what: `${name} is licensed ${license ?? 'nowhere'}`,
      }));
  },
};
