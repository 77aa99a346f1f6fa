import 'reflect-metadata'; // @peculiar/x509 needs it before anything else
import type { X509Certificate } from '@peculiar/x509';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { writeDurably } from '#system/durable-file.ts';
import profiles from '../../pki/profiles.json' with { type: 'json' };

/** Certificates for development and tests; see pki/README.md for what each kind may do. */
export interface DevelopmentCa {
  /** The trust anchor that both sides load. */
  readonly anchor: string;
  /** A broker's certificate for these DNS names and IP addresses; the first is its CN. */
  broker(names?: readonly string[]): Promise<IssuedFiles>;
  /** A device's certificate; `gateway` becomes the CN. */
  device(gateway: string): Promise<IssuedFiles>;
}

/** Paths of PEM files; the key's mode is 0600. */
export interface IssuedFiles {
  readonly certificate: string;
  readonly key: string;
}

interface Profile {
  readonly days: number;
  readonly certificateAuthority: boolean;
  readonly keyUsages: readonly string[];
  readonly extendedKeyUsages: readonly string[];
}

interface Authority {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

const LOOPBACK = ['localhost', '127.0.0.1', '::1'] as const;
const PRIVATE_MODE = 0o600;
const PUBLIC_MODE = 0o644;
const FOLDER_MODE = 0o700;

/**
 * Makes a new CA below `folder`. Its signing key is kept in memory only, so that a forgotten
 * folder can sign nothing; `now` is the wall clock in milliseconds.
 */
export async function createDevelopmentCa(folder: string, now: number): Promise<DevelopmentCa> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  const keys = await newKeys();
  const subject = 'CN=normd development CA';
  const certificate = await sign(
    { subject, issuer: subject, keys, signer: keys, now },
    'authority',
  );
  const authority = { certificate, keys };
  const anchor = join(folder, 'ca.pem');
  await writeDurably(anchor, pemOf(certificate), PUBLIC_MODE);
  return {
    anchor,
    broker: (names = LOOPBACK) => issue(folder, authority, 'broker', names, now),
    device: (gateway) => issue(folder, authority, 'device', [gateway], now),
  };
}

/** Makes a key, signs its certificate and writes both; files are named by the first name. */
async function issue(
  folder: string,
  authority: Authority,
  profile: 'broker' | 'device',
  names: readonly string[],
  now: number,
): Promise<IssuedFiles> {
  const name = names[0] ?? profile;
  const keys = await newKeys();
  const request: Request = {
    subject: `CN=${name}`,
    issuer: authority.certificate.subject,
    keys,
    signer: authority.keys,
    now,
    ...(profile === 'broker' ? { alternatives: names } : {}),
  };
  const certificate = await sign(request, profile);
  const stem = join(folder, `${profile}-${name.replace(/[^\w.-]/g, '_')}`);
  const files = { certificate: `${stem}.pem`, key: `${stem}.key` };
  await writeDurably(files.key, await privatePem(keys), PRIVATE_MODE);
  await writeDurably(files.certificate, pemOf(certificate), PUBLIC_MODE);
  return files;
}

interface Request {
  readonly subject: string;
  readonly issuer: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly signer: webcrypto.CryptoKeyPair;
  readonly now: number;
  readonly alternatives?: readonly string[];
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

async function sign(
  request: Request,
  kind: 'authority' | 'broker' | 'device',
): Promise<X509Certificate> {
  const profile: Profile = profiles[kind];
  const { publicKey } = request.keys;
  const extensions: Extension[] = [
    new BasicConstraintsExtension(profile.certificateAuthority, undefined, true),
    keyUsageExtension(profile.keyUsages),
    await SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto),
    await AuthorityKeyIdentifierExtension.create(request.signer.publicKey, false, webcrypto),
  ];
  if (profile.extendedKeyUsages.length > 0) {
    const usages = profile.extendedKeyUsages.map(extendedKeyUsage);
    extensions.push(new ExtendedKeyUsageExtension(usages));
  }
  if (request.alternatives !== undefined) {
    extensions.push(new SubjectAlternativeNameExtension(request.alternatives.map(generalName)));
  }
  return X509CertificateGenerator.create(
    {
      subject: request.subject,
      issuer: request.issuer,
      notBefore: new Date(request.now - profiles.backdateMinutes * MINUTE_MS),
      notAfter: new Date(request.now + profile.days * DAY_MS),
      publicKey,
      signingKey: request.signer.privateKey,
      signingAlgorithm: { name: profiles.algorithm.name, hash: profiles.algorithm.hash },
      extensions,
    },
    webcrypto,
  );
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(profiles.algorithm, true, ['sign', 'verify']);
}

async function privatePem(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return `${PemConverter.encode(der, PemConverter.PrivateKeyTag)}\n`;
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

/** Bits of KeyUsage (RFC 5280, 4.2.1.3), counted from the most significant. */
const KEY_USAGE_BITS = { digitalSignature: 0, keyCertSign: 5, cRLSign: 6 };

/** KeyUsage as a DER BIT STRING, whose trailing zero bits are left out (X.690, 11.2.2). */
function keyUsageExtension(names: readonly string[]): Extension {
  let bits = 0;
  for (const name of names) bits |= 0x80 >>> known<number>(KEY_USAGE_BITS, name);
  const unused = 31 - Math.clz32(bits & -bits);
  return new Extension('2.5.29.15', true, Uint8Array.of(3, 2, unused, bits));
}

/** KeyPurposeId (RFC 5280, 4.2.1.12), named as there. */
function extendedKeyUsage(name: string): ExtendedKeyUsage {
  return known(
    { serverAuth: ExtendedKeyUsage.serverAuth, clientAuth: ExtendedKeyUsage.clientAuth },
    name,
  );
}

function known<Value>(table: Readonly<Record<string, Value>>, name: string): Value {
  const value = table[name];
  if (value === undefined) throw new Error(`pki/profiles.json: unknown usage ${name}`);
  return value;
}

function generalName(name: string): { type: 'ip' | 'dns'; value: string } {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: name };
}
