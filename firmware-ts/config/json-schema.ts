import type { JsonSchema } from './annotation.ts';
import { ConfigurationSchema } from './schema.ts';

/**
 * The schema of a configuration file for editors (JSON Schema 2020-12): what has a default may be
 * left out, and normd's own annotations are gone.
 */
export function editorSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...forEditors(ConfigurationSchema),
  };
}

function forEditors(schema: JsonSchema): JsonSchema {
  const { properties, required, items, anyOf } = schema;
  const plain = Object.entries(schema).filter(([key]) => key !== 'x-normd');
  return {
    ...Object.fromEntries(plain),
    ...(properties === undefined ? {} : { properties: mapValues(properties, forEditors) }),
    ...(required === undefined ? {} : { required: stillRequired(required, properties) }),
    ...(items === undefined ? {} : { items: forEditors(items) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(forEditors) }),
  };
}

function stillRequired(
  required: readonly string[],
  properties: JsonSchema['properties'] = {},
): readonly string[] {
  return required.filter((key) => properties[key]?.default === undefined);
}

function mapValues<From, To>(
  record: Readonly<Record<string, From>>,
  convert: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, convert(value)] as const),
  );
}
