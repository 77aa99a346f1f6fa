import Type from 'typebox';
import type { Static } from 'typebox';
import { closed } from '#config/schema-parts.ts';

const octets = (bytes: number, description: string) =>
  Type.String({ pattern: `^(?:[0-9A-Fa-f]{2}){${bytes}}$`, description });
const key = octets(16, 'a key, 32 hex digits in quotes');
const password = Type.String({ minLength: 1, maxLength: 64, description: 'a text in quotes' });

/** With an encryption key the context is ciphered: all services are, by suite 0 or 1. */
const shared = {
  client: Type.Integer({ minimum: 1, maximum: 127, description: 'client address, 1 to 127' }),
  rights: Type.Enum(['read', 'all'], {
    default: 'all',
    description: 'read everything, or also change it',
  }),
  encryption: Type.Optional(key),
  authentication: Type.Optional(key),
  master: Type.Optional(key),
};

const Lowest = Type.Object({ mechanism: Type.Literal('lowest'), ...shared }, closed);
const Low = Type.Object({ mechanism: Type.Literal('low'), ...shared, password }, closed);
const High = Type.Object({ mechanism: Type.Literal('high'), ...shared, password }, closed);
const HighMd5 = Type.Object({ mechanism: Type.Literal('high-md5'), ...shared, password }, closed);
const HighSha1 = Type.Object({ mechanism: Type.Literal('high-sha1'), ...shared, password }, closed);
const HighGmac = Type.Object(
  { mechanism: Type.Literal('high-gmac'), ...shared, encryption: key, authentication: key },
  closed,
);
const HighSha256 = Type.Object(
  { mechanism: Type.Literal('high-sha256'), ...shared, password },
  closed,
);
const HighEcdsa = Type.Object(
  {
    mechanism: Type.Literal('high-ecdsa'),
    ...shared,
    signing: octets(32, "the meter's private number on P-256, 64 hex digits in quotes"),
    clientSigning: octets(64, "the client's point on P-256, 128 hex digits in quotes"),
  },
  closed,
);

/** One client, how it proves who it is, and what it may do then. */
export const AssociationSchema = Type.Union([
  Lowest,
  Low,
  High,
  HighMd5,
  HighSha1,
  HighGmac,
  HighSha256,
  HighEcdsa,
]);

export type AssociationDescription = Static<typeof AssociationSchema>;
