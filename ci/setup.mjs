/**
 * Makes `node_modules` match the lock file. Runs on the host's Node (20 or later), before any
 * script that needs the Node of the lock file; does nothing when all is in place.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const modules = join(root, 'node_modules');
const mark = join(modules, '.normd-lock');
const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

const ready = existsSync(mark) && readFileSync(mark, 'utf8') === lock;
// npm would empty the folder that a link leads to, under whoever else works with it.
const borrowed = lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink() === true;

if (!ready && borrowed) {
  console.error('node_modules is a link to packages of another lock file; they are left alone.');
} else if (!ready) {
  console.error('Setting up: installing the packages of package-lock.json ...');
  // No install scripts: the native add-ons bring prebuilt binaries inside their packages.
  // Errors only: the warnings are of the host's Node, which runs none of these packages.
  const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const result = spawnSync('npm', words, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    console.error('npm ci failed. Check the network and the npm registry, then run it again.');
    process.exit(result.status ?? 1);
  }
  writeFileSync(mark, lock);
}
