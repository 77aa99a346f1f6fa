import Type from 'typebox';
import type { Static } from 'typebox';
import { closed } from '#config/schema-parts.ts';

/** By suite: AES-128 and P-256, or AES-256 and P-384. */
const octets = (bytes: number, more: number, description: string) =>
  Type.String({
    pattern: `^(?:[0-9A-Fa-f]{${2 * bytes}}|[0-9A-Fa-f]{${2 * more}})$`,
    description,
  });
const key = octets(16, 32, 'a key in quotes, 32 hex digits, in suite 2 64');
const number = octets(32, 48, "the meter's private number, 64 hex digits, in suite 2 96");
const point = octets(64, 96, "the client's point, 128 hex digits, in suite 2 192");
const suite = (least: 0 | 1) =>
  Type.Integer({
    minimum: least,
    maximum: 2,
    default: least,
    description: `security suite, ${least} to 2`,
  });
const password = Type.String({ minLength: 1, maxLength: 64, description: 'a text in quotes' });

/** With an encryption key the context is ciphered: all services are. */
const shared = {
  client: Type.Integer({ minimum: 1, maximum: 127, description: 'client address, 1 to 127' }),
  rights: Type.Enum(['read', 'all'], {
    default: 'all',
    description: 'read everything, or also change it',
  }),
  encryption: Type.Optional(key),
  authentication: Type.Optional(key),
  master: Type.Optional(key),
  suite: suite(0),
  signing: Type.Optional(number),
  clientSigning: Type.Optional(point),
  agreement: Type.Optional(number),
  clientAgreement: Type.Optional(point),
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
    suite: suite(1),
    signing: number,
    clientSigning: point,
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

const AES = [16, 16, 32];
/** Suite 0 has no curve. */
const NUMBER = [0, 32, 48];
const POINT = [0, 64, 96];
const BYTES = {
  encryption: AES,
  authentication: AES,
  master: AES,
  signing: NUMBER,
  agreement: NUMBER,
  clientSigning: POINT,
  clientAgreement: POINT,
} as const;

/** The first key that has not the length of its suite. */
export function misfitIn(description: AssociationDescription): string | undefined {
  const names = Object.keys(BYTES) as (keyof typeof BYTES)[];
  return names.find((name) => {
    const hex = description[name];
    return hex !== undefined && hex.length !== 2 * (BYTES[name][description.suite] ?? 0);
  });
}
