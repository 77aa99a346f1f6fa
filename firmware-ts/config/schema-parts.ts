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
