import { closeSync, openSync, readSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import type { Document, YAMLError } from 'yaml';
import type { JsonSchema } from './annotation.ts';
import { checkDocument } from './check.ts';
import type { Finding, Problem, ProblemCode } from './problem.ts';
import { quoted, shown } from './quoted.ts';
import { judge, resolvePath } from './rules.ts';
import { ConfigurationSchema } from './schema.ts';
import type { Configuration } from './schema.ts';

export type Loaded =
  | { readonly configuration: Configuration }
  | { readonly problems: readonly [Problem, ...Problem[]] };

/** A thousand sources fit; a longer file is not a configuration. */
const FILE_BYTES_MAX = 256 * 1024;

/**
 * The configuration in a YAML file, or all that is wrong with it, in file order. Paths in it are
 * made absolute, beginning at the file's folder. Nothing is thrown for what a file may hold.
 */
export function loadConfiguration(file: string): Loaded {
  const text = readText(file);
  return typeof text === 'string' ? parseConfiguration(text, file) : { problems: [text] };
}

/** The same for a text that is (or will be) in `file`. */
export function parseConfiguration(text: string, file: string): Loaded {
  const parsed = parseAgainst(ConfigurationSchema, text, file);
  if ('problems' in parsed) return parsed;
  return { configuration: resolvePaths(ConfigurationSchema, parsed.value, file) as Configuration };
}

type Parsed = { readonly value: unknown } | { readonly problems: readonly [Problem, ...Problem[]] };

/** What a YAML file holds that fits the schema, or all that is wrong with it, in file order. */
export function loadAgainst(schema: JsonSchema, file: string): Parsed {
  const text = readText(file);
  return typeof text === 'string' ? parseAgainst(schema, text, file) : { problems: [text] };
}

/** The same for a text; `file` is what problems name. */
export function parseAgainst(schema: JsonSchema, text: string, file: string): Parsed {
  const lines = new LineCounter();
  const { value, findings } = readAgainst(schema, text, file, lines);
  const [first, ...others] = [...findings]
    .sort((a, b) => a.at - b.at)
    .map(({ at, ...rest }): Problem => {
      const { line, col } = lines.linePos(at);
      return { ...rest, file, line: Math.max(line, 1), column: Math.max(col, 1) };
    });
  if (first !== undefined) return { problems: [first, ...others] };
  return { value };
}

interface Read {
  readonly value?: unknown;
  readonly findings: readonly Finding[];
}

function readAgainst(schema: JsonSchema, text: string, file: string, lines: LineCounter): Read {
  const offset = text.search(NOT_TEXT);
  if (offset >= 0) {
    countLines(text.slice(0, offset), lines);
    return { findings: [notText(text, offset)] };
  }
  let document: Document;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      schema: 'core',
      customTags: [],
      merge: false,
      logLevel: 'error', // 'silent' also leaves out that there is a second document
    });
  } catch (error) {
    // The parser recurses: brackets nested thousands deep exhaust its stack.
    if (!(error instanceof RangeError)) throw error;
    return { findings: [syntaxFinding('yaml-syntax', 'nested too deeply', 0)] };
  }
  const faults = faultsOf(document);
  if (faults.some(({ code }) => code === 'yaml-syntax')) return { findings: faults };
  const { value, findings, marks } = checkDocument(document, schema);
  return { value, findings: [...faults, ...findings, ...judge(marks, file)] };
}

/** YAML 1.2.2, 5.1 allows no control characters; U+FFFD stands for bytes that are no UTF-8. */
const NOT_TEXT = /[^\P{Cc}\t\n\r\u{85}]|\u{fffd}/u;

/** Where the parser has not been, which counts them else. */
function countLines(text: string, lines: LineCounter): void {
  lines.addNewLine(0);
  for (const { index } of text.matchAll(/\n/g)) lines.addNewLine(index + 1);
}

function notText(text: string, at: number): Finding {
  const character = text.codePointAt(at) ?? 0;
  const message =
    character === 0xfffd
      ? 'bytes that are no UTF-8'
      : `the control character ${quoted(text[at])} stands in it`;
  const hint = 'is it the right file? save it as text in UTF-8';
  return { code: 'not-text', path: '', at, message, hint };
}

/** What follows the first few is mostly their consequence. */
const SYNTAX_FAULTS_MAX = 3;

function faultsOf({ errors, warnings }: Document): readonly Finding[] {
  const faults = [...errors, ...warnings].map(findingOf);
  const syntax = faults.filter(({ code }) => code === 'yaml-syntax');
  return [
    ...faults.filter(({ code }) => code !== 'yaml-syntax'),
    ...syntax.slice(0, SYNTAX_FAULTS_MAX),
  ];
}

const FAULT_CODES: Partial<Record<YAMLError['code'], ProblemCode>> = {
  MULTIPLE_DOCS: 'several-documents',
  DUPLICATE_KEY: 'duplicate-key',
  TAG_RESOLVE_FAILED: 'yaml-tag',
};

function findingOf(error: YAMLError): Finding {
  const code = FAULT_CODES[error.code] ?? 'yaml-syntax';
  return syntaxFinding(
    code,
    FAULT_MESSAGES[code] ?? shown(error.message, FAULT_CHARACTERS_MAX),
    error.pos[0],
  );
}

const FAULT_MESSAGES: Partial<Record<ProblemCode, string>> = {
  'several-documents': 'a second YAML document begins here',
};

/** The parser's own sentences have up to 90; what it quotes may go to the end of the file. */
const FAULT_CHARACTERS_MAX = 90;

const FAULT_HINTS: Partial<Record<ProblemCode, string>> = {
  'several-documents': 'a configuration is one document: remove the line --- and what is doubled',
  'duplicate-key': 'keep one of the two',
  'yaml-tag': 'remove the tag (the word that begins with !)',
};

function syntaxFinding(code: ProblemCode, message: string, at: number): Finding {
  const hint = FAULT_HINTS[code] ?? 'check indentation, quotes and brackets around this place';
  return { code, path: '', at, message, hint };
}

function resolvePaths(schema: JsonSchema, value: unknown, file: string): unknown {
  if (typeof value === 'string') {
    const kind = schema['x-normd']?.path;
    return kind === undefined ? value : resolvePath(value, file, kind);
  }
  if (Array.isArray(value)) {
    return value.map((item) => resolvePaths(schema.items ?? {}, item, file));
  }
  if (typeof value !== 'object' || value === null) return value;
  const properties = variantOf(schema, value).properties ?? {};
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key,
      resolvePaths(properties[key] ?? {}, entry, file),
    ]),
  );
}

/** The variant of a union that a checked value is of: the one whose fixed words it holds. */
function variantOf(schema: JsonSchema, value: object): JsonSchema {
  const fixed = new Map<string, unknown>(Object.entries(value));
  const matches = (variant: JsonSchema): boolean =>
    Object.entries(variant.properties ?? {}).every(
      ([key, property]) => property.const === undefined || property.const === fixed.get(key),
    );
  return schema.anyOf?.find(matches) ?? schema;
}

function readText(file: string): string | Problem {
  const place = { file, line: 1, column: 1, path: '' };
  const buffer = Buffer.alloc(FILE_BYTES_MAX + 1);
  let length: number;
  try {
    length = readUpTo(file, buffer);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    const hint = 'check the path and its permissions';
    const message = UNREADABLE.get(reason) ?? `cannot read it (${reason})`;
    return { code: 'unreadable-file', ...place, message, hint };
  }
  if (length <= FILE_BYTES_MAX) return buffer.toString('utf8', 0, length);
  const hint = 'a configuration is a text of a few kilobytes; is this the right file?';
  return { code: 'too-large', ...place, message: `longer than ${FILE_BYTES_MAX} bytes`, hint };
}

const UNREADABLE: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'there is no such file'],
  ['EISDIR', 'it is a folder'],
  ['EACCES', 'this user may not read it'],
]);

function readUpTo(file: string, buffer: Buffer): number {
  const handle = openSync(file, 'r');
  try {
    let length = 0;
    for (;;) {
      const read = readSync(handle, buffer, length, buffer.length - length, null);
      length += read;
      if (read === 0 || length === buffer.length) return length;
    }
  } finally {
    closeSync(handle);
  }
}
