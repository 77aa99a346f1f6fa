/**
 * A rollup plugin: `NOTICES` beside the bundle holds the licence texts of the packages whose code
 * is in it (their comments, and so their licence headers, are left out). A package without a
 * permissive licence, or without its text, fails the build.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from '@rollup/wasm-node';
import { PERMISSIVE } from './rules/licences.ts';

const LICENCE_FILE = /^(licen[cs]e|copying|notice)(\.(md|txt))?$/i;
const PACKAGE_FOLDER = /^\0?(.*\bnode_modules\/(?:@[^/]+\/)?[^/]+)\//;
const HEADING = 'normd contains code of these packages.\n';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

/** `folders` are of the packages that no chunk shows, as they bring prebuilt add-ons. */
export function notices(folders: readonly string[]): Plugin {
  return {
    name: 'notices',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((output) =>
        output.type === 'chunk' ? Object.keys(output.modules) : [],
      );
      const bundled = modules.flatMap((id) => PACKAGE_FOLDER.exec(id)?.[1] ?? []);
      const source = noticesOf([...bundled, ...folders]);
      this.emitFile({ type: 'asset', fileName: 'NOTICES', source });
      this.emitFile({ type: 'asset', fileName: 'LICENSE', source: readFileSync('LICENSE') });
    },
  };
}

/** A section for each package and version, in the order of their names. */
export function noticesOf(folders: readonly string[]): string {
  const sections = new Set([...new Set(folders)].map(sectionOf));
  return [HEADING, ...[...sections].sort()].join(`\n${'-'.repeat(80)}\n`);
}

function sectionOf(folder: string): string {
  const text = readFileSync(join(folder, 'package.json'), 'utf8');
  const { name, version, license = 'none' } = JSON.parse(text) as Manifest;
  if (!PERMISSIVE.has(license)) throw new Error(`${name}: its licence is ${license}`);
  const files = readdirSync(folder).filter((file) => LICENCE_FILE.test(file));
  if (files.length === 0) throw new Error(`${name} comes without the text of its licence`);
  const texts = files.sort().map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return `${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`;
}
