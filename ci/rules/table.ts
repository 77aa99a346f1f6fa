import { failureCodes } from './failure-codes.ts';
import { functionSizes } from './function-sizes.ts';
import { licences } from './licences.ts';
import { perFile } from './rule.ts';
import type { Finding, HouseFile, HouseRule } from './rule.ts';

const LINES_MAX = 400;
const COLUMNS_MAX = 100;
const SOURCES = /^(firmware-ts|test|ci)\/.*\.(ts|mjs|cjs)$/;
const PROSE = /\.md$/;

const sizes = perFile('sizes', SOURCES, ({ text }) => {
  const lines = text.split('\n');
  const long = lines.flatMap((line, index) =>
    line.length > COLUMNS_MAX ? [`line ${index + 1} has ${line.length} columns`] : [],
  );
  return lines.length > LINES_MAX + 1 ? [`${lines.length} lines`, ...long] : long;
});

/** Written in halves, so that this file keeps its own rule. */
const PROMISES = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX'].join('|')})\\b`);

const promises = perFile('no promises', SOURCES, ({ text }) =>
  PROMISES.test(text) ? ['promises code instead of having it'] : [],
);

const narrowed = perFile('whole suite', /^test\/.*\.ts$/, ({ text }) =>
  /\b(test|it|describe|suite)\.(only|todo)\(|\b(only|todo): true/.test(text)
    ? ['narrows the suite']
    : [],
);

const swallowed = perFile('no swallowed error', /^firmware-ts\/.*\.ts$/, ({ text }) =>
  /catch *(\([^)]*\))? *\{\s*\}/.test(text) ? ['an empty catch'] : [],
);

const secrets = perFile('no private key', /./, ({ text }) =>
  /-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]{40,}/.test(text)
    ? ['holds a private key']
    : [],
);

/** Each room has a charter in ARCHITECTURE.md, and each charter a room. */
const charters: HouseRule = {
  name: 'charters',
  check(files) {
    const map = files.find(({ path }) => path === 'firmware-ts/ARCHITECTURE.md')?.text ?? '';
    const chartered = new Set(Array.from(map.matchAll(/^\| `([a-z]+)\/`/gm), ([, room]) => room));
    const rooms = new Set(
      files.flatMap(({ path }) => /^firmware-ts\/([a-z]+)\/.*\.ts$/.exec(path)?.[1] ?? []),
    );
    const path = 'firmware-ts/ARCHITECTURE.md';
    return [
      ...[...rooms]
        .filter((room) => !chartered.has(room))
        .map((room) => ({ path, what: `no charter for the room ${room}/` })),
      ...[...chartered]
        .filter((room) => room !== undefined && !rooms.has(room))
        .map((room) => ({ path, what: `a charter for ${String(room)}/, which is not there` })),
    ];
  },
};

/** Files that are linked to, and whose text is no matter of these rules. */
const UNREAD = ['LICENSE', 'firmware-ts/contract/dictionary-1.bin'];

/** Links inside the repository must lead somewhere. */
const links: HouseRule = {
  name: 'links',
  check(files) {
    const known = new Set(files.flatMap(({ path }) => [path, ...foldersOf(path)]));
    for (const path of UNREAD) known.add(path);
    return files.filter(({ path }) => PROSE.test(path)).flatMap((file) => broken(file, known));
  },
};

function foldersOf(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function broken({ path, text }: HouseFile, known: ReadonlySet<string>): readonly Finding[] {
  const targets = Array.from(text.matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g), ([, to]) => to ?? '');
  return targets
    .filter((to) => !/^[a-z]+:/.test(to))
    .filter((to) => !known.has(resolved(path, to)))
    .map((to) => ({ path, what: `broken link to ${to}` }));
}

function resolved(from: string, to: string): string {
  return new URL(to, `file:///${from}`).pathname.slice(1).replace(/\/$/, '');
}

/** Decision records count up without a gap, so that a number is never used twice. */
const decisions: HouseRule = {
  name: 'decisions',
  check: (files) =>
    files
      .flatMap(({ path }) => /^firmware-ts\/decisions\/(.*)$/.exec(path)?.[1] ?? [])
      .sort()
      .flatMap((name, index) =>
        name.startsWith(`${String(index + 1).padStart(4, '0')}-`)
          ? []
          : [{ path: `firmware-ts/decisions/${name}`, what: `is record ${index + 1} by count` }],
      ),
};

/** A vector of our own says where its bytes come from. */
const sources = perFile('vectors have sources', /^test\/vectors\/.*\.(json|md)$/, ({ text }) =>
  /"?source"?:/.test(text) ? [] : ['names no source'],
);

export const RULES: readonly HouseRule[] = [
  sizes,
  functionSizes,
  failureCodes,
  promises,
  narrowed,
  swallowed,
  secrets,
  charters,
  links,
  decisions,
  sources,
  licences,
];
