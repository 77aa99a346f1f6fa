import Type from 'typebox';
import { NAME } from '#reading/senml-names.ts';
import type { Annotation } from './annotation.ts';

/** What several parts of the configuration's schema are made of. */
export const SOURCES_MAX = 256; // loops and sockets of one small gateway

export const annotated = (annotation: Annotation): { 'x-normd': Annotation } => ({
  'x-normd': annotation,
});
export const closed = { additionalProperties: false } as const;

export const NAMED = {
  pattern: NAME,
  description: '1 to 64 letters, digits, _ or -, the first a letter or digit',
} as const;
export const name = (annotation: Annotation) => Type.String({ ...NAMED, ...annotated(annotation) });

export const path = (kind: NonNullable<Annotation['path']>, options: { default?: string } = {}) =>
  Type.String({
    minLength: 1,
    maxLength: 4096,
    description: PATHS[kind],
    ...options,
    ...annotated({ path: kind }),
  });
const PATHS = {
  any: 'a path; a relative one begins at the folder of this file',
  readable: 'a file that exists; a relative path begins at the folder of this file',
  secret: 'a file that only its owner may read (0600), or credential:NAME of the service',
  key: 'a file (0600) or credential:NAME with the key in hex, 16 or 32 bytes',
  keyring: 'a YAML file (0600) or credential:NAME with the keys of meters by their names',
} as const;
