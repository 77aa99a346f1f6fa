/**
 * `dist/`: the daemon, the command line and the store's thread as plain modules, beside the two
 * native add-ons for both architectures, and the licences of all that is in them. Nothing else is
 * needed but a Node runtime.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { isBuiltin, stripTypeScriptTypes } from 'node:module';
import commonjs from '@rollup/plugin-commonjs';
import json from '@rollup/plugin-json';
import nodeResolve from '@rollup/plugin-node-resolve';
import typescript from 'typescript';
import { notices } from './ci/notices.ts';

const ARCHITECTURES = ['x64', 'arm64'];

/** Prebuilt binaries inside the packages, by architecture. */
const ADDONS = {
  'better-sqlite3': (architecture) => `better-sqlite3/prebuilds/linux-${architecture}.node`,
  serialport: (architecture) =>
    `@serialport/bindings-cpp/prebuilds/linux-${architecture}/@serialport+bindings-cpp` +
    `${architecture === 'arm64' ? '.armv8' : ''}.glibc.node`,
};

const packageOf = (file) => `node_modules/${/^(@[^/]+\/)?[^/]+/.exec(file)[0]}`;

const loaderOf = (name, exported) => `
import { createRequire } from 'node:module';
const load = createRequire(import.meta.url);
export ${exported} () => load('./addons/${name}-linux-' + process.arch + '.node');`;

/** The packages look for their add-on on the disk in many places; here there is one. */
const addons = {
  name: 'addons',
  resolveId(id, importer) {
    if (id === 'node-gyp-build') return '\0addon:serialport';
    if (id === './binding' && importer?.includes('better-sqlite3')) return '\0addon:better-sqlite3';
    return null;
  },
  load(id) {
    if (id === '\0addon:serialport') return loaderOf('serialport', 'default');
    if (id === '\0addon:better-sqlite3') {
      return loaderOf('better-sqlite3', 'const getBinding =');
    }
    return null;
  },
  generateBundle({ dir }) {
    mkdirSync(`${dir}/addons`, { recursive: true });
    for (const [name, fileOf] of Object.entries(ADDONS)) {
      for (const architecture of ARCHITECTURES) {
        const to = `${dir}/addons/${name}-linux-${architecture}.node`;
        copyFileSync(`node_modules/${fileOf(architecture)}`, to);
      }
    }
  },
};

/**
 * Transports of mqtt.js that normd never dials (it hands mqtt.js a TLS stream of its own): each
 * would bring its library, and memory, into a process that may have none to spare.
 */
const LEFT_OUT = ['ws', 'socks', 'worker-timers'];

const leftOut = {
  name: 'left-out',
  resolveId: (id) => (LEFT_OUT.includes(id) ? `\0left-out:${id}` : null),
  load: (id) => (id.startsWith('\0left-out:') ? 'export default undefined;' : null),
};

/**
 * An ES import of a built-in module reads all its properties, and some load more behind a getter:
 * that of node:crypto brings WebCrypto, that of node:fs the lines and history of a prompt.
 */
const builtins = {
  name: 'builtins',
  resolveId(id) {
    const name = id === 'readable-stream' ? 'stream' : id.replace('node:', ''); // its copy
    return isBuiltin(name) ? `\0builtin:${name}` : null;
  },
  load(id) {
    if (!isOfBuiltin(id)) return null;
    const name = id.slice('\0builtin:'.length);
    const code = `export default process.getBuiltinModule('${name}');`;
    return { code, syntheticNamedExports: true };
  },
};
const isOfBuiltin = (id) => id.startsWith('\0builtin:');

/**
 * V8 keeps the text of what it runs, with two bytes a character once one is beyond Latin-1. Those
 * outside comments stand in literals, where an escape means the same.
 */
const compact = {
  name: 'compact',
  renderChunk(code) {
    const compilerOptions = { target: 'esnext', module: 'esnext', removeComments: true };
    const { outputText } = typescript.transpileModule(code, { compilerOptions });
    return { code: outputText.replace(/[^\0-\xff]/g, escaped), map: null };
  },
};
const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** The time floor of what is built; `SOURCE_DATE_EPOCH` makes the same bytes again. */
const buildTime = {
  name: 'build-time',
  load(id) {
    if (!id.endsWith('/system/build-time.ts')) return null;
    const second = Number(process.env.SOURCE_DATE_EPOCH ?? Math.floor(Date.now() / 1000));
    return `export const BUILD_SECOND = ${second};`;
  },
};

const stripTypes = {
  name: 'strip-types',
  transform: (code, id) =>
    id.endsWith('.ts') ? { code: stripTypeScriptTypes(code), map: null } : null,
};

export default {
  input: {
    normd: 'firmware-ts/main.ts',
    normctl: 'firmware-ts/cli/normctl.ts',
    thread: 'firmware-ts/store/thread.ts',
  },
  output: {
    dir: 'dist',
    format: 'es',
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
    // CommonJS packages in the bundle still ask for it.
    intro: 'const __dirname = import.meta.dirname;',
  },
  plugins: [
    addons,
    leftOut,
    builtins,
    buildTime,
    stripTypes,
    nodeResolve({ exportConditions: ['node'], preferBuiltins: true }),
    commonjs({
      ignoreDynamicRequires: true,
      defaultIsModuleExports: (id) => isOfBuiltin(id) || 'auto',
    }),
    json(),
    compact,
    notices(Object.values(ADDONS).map((fileOf) => packageOf(fileOf('x64')))),
  ],
  onwarn(warning, warn) {
    // Cycles inside packages are their own affair; ours are refused by the room rules.
    if (warning.code === 'CIRCULAR_DEPENDENCY') return;
    warn(warning);
  },
};
