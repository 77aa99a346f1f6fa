import { Scalar, YAMLMap, isAlias, isMap, isScalar, isSeq, stringify } from 'yaml';
import type { Alias, Document, Node } from 'yaml';
import type { JsonSchema } from './annotation.ts';
import { checkScalar } from './check-scalar.ts';
import { nearest } from './nearest.ts';
import type { Finding } from './problem.ts';
import { shown } from './quoted.ts';
import { REFUSED, join, mark, offsetOf, refuse, refuseChoice, refuseType } from './walk.ts';
import type { Mark, Spot, Walk } from './walk.ts';

/** More than any file within the size limit holds by itself; only aliases exceed it. */
const NODES_MAX = 200_000;

export interface Checked {
  /** The configuration with its defaults, sound only where `findings` is empty. */
  readonly value: unknown;
  readonly findings: readonly Finding[];
  readonly marks: readonly Mark[];
}

/** Holds a YAML document against a schema and finds everything that does not fit, at once. */
export function checkDocument(document: Document, schema: JsonSchema): Checked {
  const walk: Walk = { document, findings: [], marks: [], budget: NODES_MAX };
  // An empty file lacks the same keys as an empty map.
  const node: Node = document.contents ?? new YAMLMap();
  const value = checkNode(walk, { schema, node, path: '', at: offsetOf(node) });
  return { value, findings: walk.findings, marks: walk.marks };
}

function checkNode(walk: Walk, written: Spot): unknown {
  walk.budget -= 1;
  if (walk.budget < 0) return refuseExpansion(walk, written);
  const spot = isAlias(written.node) ? resolveAlias(walk, written, written.node) : written;
  if (spot === REFUSED) return REFUSED;
  if (spot.schema.anyOf !== undefined) return checkVariant(walk, spot, spot.schema.anyOf);
  if (spot.schema.type === 'object') return checkObject(walk, spot);
  if (spot.schema.type === 'array') return checkArray(walk, spot);
  return checkScalar(walk, spot);
}

function refuseExpansion(walk: Walk, spot: Spot): typeof REFUSED {
  if (walk.findings.some(({ code }) => code === 'yaml-alias')) return REFUSED;
  const hint = 'write out what the aliases (*name) stand for';
  const message = `aliases expand to more than ${NODES_MAX} values`;
  return refuse(walk, spot, { code: 'yaml-alias', message, hint });
}

function resolveAlias(walk: Walk, spot: Spot, alias: Alias): Spot | typeof REFUSED {
  const node = alias.resolve(walk.document);
  if (node !== undefined) return { ...spot, node };
  const message = `no anchor &${alias.source} stands before it`;
  return refuse(walk, spot, { code: 'yaml-alias', message, hint: 'write out the value' });
}

/** The variants of a union differ in the one key whose value each of them fixes. */
function checkVariant(walk: Walk, spot: Spot, variants: readonly JsonSchema[]): unknown {
  const { node, path, at } = spot;
  if (!isMap(node)) return refuseType(walk, spot, 'object');
  const key = discriminatorOf(variants);
  const allowed = variants.map((variant) => variant.properties?.[key]?.const ?? '');
  const choice = valueNode(node, key);
  if (choice === undefined) {
    checkShared(walk, spot, node, variants);
    const hint = `add ${key}: ${allowed.join(' | ')}`;
    const message = `${key} is missing`;
    return refuse(
      walk,
      { path: join(path, key), at },
      { code: 'missing-key', message, allowed, hint },
    );
  }
  const tag = isScalar(choice) ? choice.value : undefined;
  const variant = variants.find((candidate) => candidate.properties?.[key]?.const === tag);
  if (variant !== undefined) return checkObject(walk, { ...spot, schema: variant });
  checkShared(walk, spot, node, variants);
  return refuseChoice(walk, { path: join(path, key), at: offsetOf(choice) }, allowed, tag);
}

/**
 * Of an entry of no known variant, what is the same whichever was meant: a key that none has is
 * wrong, and a name is defined, so that references to it are no faults.
 */
function checkShared(walk: Walk, spot: Spot, map: YAMLMap, variants: readonly JsonSchema[]): void {
  const allowed = variants.flatMap(({ properties = {} }) => Object.keys(properties));
  refuseUnknownKeys(walk, spot, map, [...new Set(allowed)]);
  for (const [key, property] of Object.entries(variants[0]?.properties ?? {})) {
    const node = valueNode(map, key);
    const shared = variants.every(({ properties }) => properties?.[key] === property);
    if (!shared || node === undefined) continue;
    checkNode(walk, { schema: property, node, path: join(spot.path, key), at: offsetOf(node) });
  }
}

function discriminatorOf(variants: readonly JsonSchema[]): string {
  const properties = Object.entries(variants[0]?.properties ?? {});
  return properties.find(([, property]) => property.const !== undefined)?.[0] ?? '';
}

function checkObject(walk: Walk, spot: Spot): unknown {
  const { schema, node, path, at } = spot;
  if (!isMap(node)) return refuseType(walk, spot, 'object');
  const before = walk.findings.length;
  refuseUnknownKeys(walk, spot, node, Object.keys(schema.properties ?? {}));
  const value: Record<string, unknown> = {};
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const child = valueNode(node, key);
    const place = { schema: property, path: join(path, key) };
    const entry =
      child === undefined
        ? absent(walk, spot, key)
        : checkNode(walk, { ...place, node: child, at: offsetOf(child) });
    if (entry !== undefined) value[key] = entry;
  }
  if (walk.findings.length > before) return REFUSED;
  mark(walk, spot, value, (key) => {
    const child = valueNode(node, key);
    return child === undefined ? at : offsetOf(child);
  });
  return value;
}

function refuseUnknownKeys(walk: Walk, spot: Spot, map: YAMLMap, allowed: readonly string[]): void {
  for (const { key } of map.items) {
    const name = isScalar(key) ? String(key.value) : '?';
    if (isScalar(key) && typeof key.value === 'string' && allowed.includes(name)) continue;
    const guess = nearest(name, allowed);
    refuse(
      walk,
      { path: join(spot.path, shown(name)), at: offsetOf(key as Node) },
      {
        code: 'unknown-key',
        message: `${shown(name)} is not a key here`,
        allowed,
        hint: guess === undefined ? 'remove it, or use an allowed key' : `did you mean ${guess}?`,
      },
    );
  }
}

function absent(walk: Walk, spot: Spot, key: string): unknown {
  const { schema, path, at } = spot;
  const property = schema.properties?.[key] ?? {};
  if (property.default !== undefined) return withDefaults(property);
  if (schema.required?.includes(key) !== true) return undefined;
  const hint = `add ${key}: ${exampleOf(property) ?? property.description ?? '...'}`;
  const message = `${key} is missing`;
  return refuse(walk, { path: join(path, key), at }, { code: 'missing-key', message, hint });
}

/** An example of the schema as it can be written, on one line. */
function exampleOf({ examples }: JsonSchema): string | undefined {
  if (examples === undefined) return undefined;
  return stringify(examples[0], { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();
}

/** What a property that is not written stands for; an object takes its own properties' defaults. */
function withDefaults(schema: JsonSchema): unknown {
  if (schema.type !== 'object') return structuredClone(schema.default);
  const entries = Object.entries(schema.properties ?? {});
  const filled = entries.filter(([, property]) => property.default !== undefined);
  return Object.fromEntries(filled.map(([key, property]) => [key, withDefaults(property)]));
}

function checkArray(walk: Walk, spot: Spot): unknown {
  const { schema, node, path } = spot;
  if (!isSeq(node)) return refuseType(walk, spot, 'array');
  const { minItems = 0, maxItems = Infinity, items = {} } = schema;
  const count = node.items.length;
  if (count < minItems || count > maxItems) {
    const message = `${count} entries, allowed are ${minItems} to ${maxItems}`;
    const example = exampleOf(items);
    const entry = example === undefined ? 'add an entry' : `add an entry, such as ${example}`;
    const hint = count < minItems ? entry : 'remove entries';
    return refuse(walk, spot, { code: 'out-of-range', message, hint });
  }
  return node.items.map((item, index) => {
    const child = item as Node;
    return checkNode(walk, {
      schema: items,
      node: child,
      path: `${path}[${index}]`,
      at: offsetOf(child),
    });
  });
}

function valueNode(map: YAMLMap, key: string): Node | undefined {
  const pair = map.items.find((item) => isScalar(item.key) && item.key.value === key);
  if (pair === undefined) return undefined;
  if (pair.value !== null) return pair.value as Node;
  const nothing = new Scalar(null); // `{ key }`: a key without a value
  nothing.range = (pair.key as Node).range ?? null;
  return nothing;
}
