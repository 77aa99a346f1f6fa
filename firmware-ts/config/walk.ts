import { isMap, isScalar, isSeq } from 'yaml';
import type { Document, Node, Scalar } from 'yaml';
import type { Annotation, JsonSchema } from './annotation.ts';
import { nearest } from './nearest.ts';
import type { Finding } from './problem.ts';
import { quoted, shown } from './quoted.ts';

/** What stands in one place of the file and still has to be judged by rules.ts. */
export interface Mark {
  readonly annotation: Annotation;
  readonly value: unknown;
  readonly path: string;
  readonly at: number;
  /** Offset of the value of a key of this object; its own offset where the key is missing. */
  readonly atKey: (key: string) => number;
}

/** What a walk over a document collects. */
export interface Walk {
  readonly document: Document;
  readonly findings: Finding[];
  readonly marks: Mark[];
  /** Aliases multiply what is visited; the walk ends when this is used up. */
  budget: number;
}

/** A node of the file under the schema that it must fit. */
export interface Spot {
  readonly schema: JsonSchema;
  readonly node: Node;
  readonly path: string;
  /** Offset where it is written; for an alias, where the alias is. */
  readonly at: number;
}

/** Stands for a value that did not fit; the finding says why. */
export const REFUSED = Symbol('refused');

export function refuse(
  walk: Walk,
  place: { readonly path: string; readonly at: number },
  finding: Omit<Finding, 'path' | 'at'>,
): typeof REFUSED {
  walk.findings.push({ ...finding, path: place.path, at: place.at });
  return REFUSED;
}

export function mark(walk: Walk, spot: Spot, value: unknown, atKey: Mark['atKey']): void {
  const { schema, path, at } = spot;
  const annotation = schema['x-normd'];
  if (annotation !== undefined) walk.marks.push({ annotation, value, path, at, atKey });
}

export function refuseChoice(
  walk: Walk,
  place: { readonly path: string; readonly at: number },
  allowed: readonly string[],
  value: unknown,
): typeof REFUSED {
  const guess = typeof value === 'string' ? nearest(value, allowed) : undefined;
  const written = value === undefined ? 'this' : quoted(value);
  return refuse(walk, place, {
    code: 'not-allowed',
    message: `${written} is not allowed`,
    allowed,
    hint: guess === undefined ? `write one of ${allowed.join(', ')}` : `did you mean ${guess}?`,
  });
}

const WORDS = {
  object: 'keys and values',
  array: 'a list (lines that begin with -)',
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
} as const;

export function refuseType(walk: Walk, spot: Spot, type: keyof typeof WORDS): typeof REFUSED {
  const { node, schema } = spot;
  const wanted = WORDS[type];
  const unquoted = type === 'string' && isScalar(node) && node.value !== null;
  const described = schema.description === undefined ? wanted : `${wanted}: ${schema.description}`;
  return refuse(walk, spot, {
    code: 'wrong-type',
    message: `expected ${wanted}, found ${foundIn(node)}`,
    hint: unquoted ? `put it in quotes: '${sourceOf(node)}'` : `write ${described}`,
  });
}

function foundIn(node: Node): string {
  if (isMap(node)) return 'keys and values';
  if (isSeq(node)) return 'a list';
  if (!isScalar(node) || node.value === null) return 'nothing';
  return `the ${typeof node.value} ${quoted(node.value)}`;
}

/** As it was written: to YAML 0x10 is the number 16. */
function sourceOf({ source, value }: Scalar): string {
  return shown(source ?? String(value));
}

export function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

export function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
