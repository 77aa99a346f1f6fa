import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { parseConfiguration, type Loaded } from '#config/load.ts';
import type { Problem } from '#config/problem.ts';

const KEY = '00112233445566778899AABBCCDDEEFF';

/** With all files that the configurations of the tests name; gone after the tests. */
export const folder = mkdtempSync(join(tmpdir(), 'normd-config-'));
after(() => rmSync(folder, { recursive: true }));

export const FILE = join(folder, 'normd.yaml');
for (const [name, content, mode] of [
  ['meter1.key', `${KEY}\n`, 0o600],
  ['meter1.auth', KEY, 0o600],
  ['device.key.pem', 'key', 0o600],
  ['device.pem', 'certificate', 0o644],
  ['ca.pem', 'anchors', 0o644],
  ['rehearsal.pcap', 'bytes', 0o644],
  ['open.key', KEY, 0o640],
  ['short.key', KEY.slice(2), 0o600],
  ['text.key', 'not hex', 0o600],
  ['long.key', KEY.repeat(40), 0o600],
] as const) {
  writeFileSync(join(folder, name), content);
  chmodSync(join(folder, name), mode);
}

execFileSync('mkfifo', ['-m', '600', join(folder, 'fifo.key')]);

export function problemsIn(loaded: Loaded): readonly Problem[] {
  return 'problems' in loaded ? loaded.problems : [];
}

/** `code line path` of every problem. */
export function briefs(text: string): readonly string[] {
  return problemsIn(parseConfiguration(text, FILE)).map(({ code, line, path }) =>
    `${code} ${line} ${path}`.trim(),
  );
}

/** A good configuration, a line an entry, so that a test may change one of them. */
export const GOOD = `gateway: gw-0001
store: { retainDays: 7 }
sources:
  - { name: m1, protocol: p1, link: { kind: tcp, host: h, port: 1 } }
  - { name: pmu, protocol: c37118, idCode: 1, link: { kind: udp, port: 4713 } }
backends:
  - { name: lan, url: 'mqtt://127.0.0.1:1883' }
policy:
  - { to: lan, purpose: test, sources: [m1], objects: ['*'] }
`;

export function withLine(line: number, text: string): string {
  return GOOD.split('\n')
    .map((old, index) => (index + 1 === line ? text : old))
    .join('\n');
}

/** Beginnings of lines 4 and 7, to be gone on with. */
export const SOURCE = '  - { name: m1, protocol: p1, link: { kind: tcp, host: h, port: 1 }';
export const BACKEND = '  - { name: lan, url: ';
