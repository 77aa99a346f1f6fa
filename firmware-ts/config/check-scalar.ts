import { isScalar } from 'yaml';
import type { Node } from 'yaml';
import type { JsonSchema } from './annotation.ts';
import { quoted } from './quoted.ts';
import { mark, refuse, refuseChoice, refuseType } from './walk.ts';
import type { Spot, Walk } from './walk.ts';

/** A text, a number, true or false, or one of a few words. */
export function checkScalar(walk: Walk, spot: Spot): unknown {
  const { schema, node, at } = spot;
  const value: unknown = isScalar(node) ? node.value : undefined;
  const choices = schema.const === undefined ? schema.enum : [schema.const];
  if (choices !== undefined) {
    const text = wordOf(node);
    const known = text !== undefined && choices.includes(text);
    return known ? text : refuseChoice(walk, spot, choices, text ?? value);
  }
  if (schema.type === 'integer' || schema.type === 'number') {
    return checkNumber(walk, spot, schema.type, value);
  }
  if (schema.type === 'boolean') {
    return typeof value === 'boolean' ? value : refuseType(walk, spot, 'boolean');
  }
  if (typeof value !== 'string') return refuseType(walk, spot, 'string');
  if (fits(schema, value)) {
    mark(walk, spot, value, () => at);
    return value;
  }
  return refuse(walk, spot, {
    code: 'not-allowed',
    message: `${quoted(value)} is not allowed`,
    hint: `write ${schema.description ?? 'another text'}`,
  });
}

/** The word as it was written: to YAML an unquoted 8E1 is the number 80. */
function wordOf(node: Node): string | undefined {
  if (!isScalar(node)) return undefined;
  if (typeof node.value === 'string') return node.value;
  return typeof node.value === 'number' ? node.source : undefined;
}

function checkNumber(walk: Walk, spot: Spot, type: 'integer' | 'number', value: unknown): unknown {
  const fitting = type === 'integer' ? Number.isInteger(value) : Number.isFinite(value);
  if (typeof value !== 'number' || !fitting) return refuseType(walk, spot, type);
  const { minimum = -Infinity, maximum = Infinity } = spot.schema;
  if (value >= minimum && value <= maximum) return value;
  return refuse(walk, spot, {
    code: 'out-of-range',
    message: `${value} is out of range`,
    hint: `write a number from ${minimum} to ${maximum}`,
  });
}

function fits(schema: JsonSchema, text: string): boolean {
  const { minLength = 0, maxLength = Infinity, pattern } = schema;
  const length = Array.from(text).length; // JSON Schema counts characters, not UTF-16 units
  if (length < minLength || length > maxLength) return false;
  return pattern === undefined || new RegExp(pattern, 'u').test(text);
}
