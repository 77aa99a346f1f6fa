/**
 * Installs the Debian packages that the tests use as real peers, where it may (root and apt);
 * says plainly what is missing where it may not. Runs on the host's Node.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** What the tests look for, and the package that brings it. */
const PARTS = [
  { file: '/usr/sbin/mosquitto', package: 'mosquitto', for: 'a real MQTT broker' },
  { file: '/usr/bin/tshark', package: 'tshark', for: 'an independent reading of PMU frames' },
  { file: '/usr/bin/socat', package: 'socat', for: 'serial lines on pseudo-terminals' },
  { file: '/usr/bin/zstd', package: 'zstd', for: 'an independent reading of payloads' },
  { file: '/usr/bin/openssl', package: 'openssl', for: 'foreign certificates' },
  { file: '/usr/bin/gcc', package: 'gcc', for: 'the recorder of disk writes in test/crash' },
  {
    file: '/usr/include/stdio.h',
    package: 'libc6-dev',
    for: 'the recorder of disk writes in test/crash',
  },
  {
    file: '/usr/bin/qemu-aarch64-static',
    package: 'qemu-user-static',
    for: 'the bundle on arm64',
  },
  {
    file: '/usr/aarch64-linux-gnu/lib/libc.so.6',
    package: 'libc6-arm64-cross',
    for: 'the bundle on arm64',
  },
  {
    file: '/usr/aarch64-linux-gnu/lib/libstdc++.so.6',
    package: 'libstdc++6-arm64-cross',
    for: 'the bundle on arm64',
  },
  {
    file: '/usr/aarch64-linux-gnu/lib/libatomic.so.1',
    package: 'libatomic1-arm64-cross',
    for: 'the bundle on arm64',
  },
];

const missing = () => PARTS.filter(({ file }) => !existsSync(file));

function apt(...words) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return (
    spawnSync('apt-get', ['-qq', ...words], { env, stdio: ['ignore', 'ignore', 2] }).status === 0
  );
}

const wanted = missing().map(({ package: name }) => name);
if (wanted.length > 0 && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
  console.error(`Installing Debian packages for the tests: ${wanted.join(' ')} ...`);
  apt('update');
  apt('install', '-y', '--no-install-recommends', ...wanted);
}
for (const { package: name, for: purpose } of missing()) {
  console.error(`missing: ${name} (${purpose}); as root: apt-get install ${name}`);
}
