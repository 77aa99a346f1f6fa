import type { KeyObject } from 'node:crypto';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { OperatingError } from '#bytes/failure.ts';
import { readBounded } from '#system/bounded-file.ts';

/** Paths of PEM files. */
export interface CredentialFiles {
  readonly key: string;
  /** The own certificate first, then its intermediates. */
  readonly certificate: string;
  /** Trust anchors for the peer, several in a file allowed. */
  readonly anchors: readonly string[];
}

/** Checked PEM texts, ready for TLS; never to be logged. */
export interface Credentials {
  readonly key: string;
  readonly certificate: string;
  readonly anchors: readonly string[];
  /** CN of the own certificate: the gateway's name. */
  readonly commonName: string;
  /** End of the own certificate's validity, milliseconds since 1970. */
  readonly notAfterMs: number;
}

export type CredentialCode =
  | 'key-unreadable'
  | 'key-mismatch'
  | 'certificate-unreadable'
  | 'certificate-expired'
  | 'certificate-not-yet-valid'
  | 'anchor-brainpool-refused'
  | 'anchor-curve-refused';

/** A key of RSA-16384 in PEM has 13 kB. */
const KEY_BYTES_MAX = 64 * 1024;
/** All public authorities of the world, which a distribution ships in one file, are 230 kB. */
const CERTIFICATES_BYTES_MAX = 1024 * 1024;

/**
 * Looks at the files each time it is called, so that a renewed certificate takes effect with the
 * next connection, and reads them when one has changed. `nowMs` is the wall clock. What was read
 * tells `notBefore`, as `newestNotBefore` does, whether it is valid now or not.
 * Errors: OperatingError with a `CredentialCode`, the path and a hint, and those of `readBounded`.
 */
export function credentialsReader(
  files: CredentialFiles,
  notBefore: (second: number) => void = () => undefined,
): (nowMs: number) => Credentials {
  let known: { readonly marks: string; readonly checked: Checked } | undefined;
  return (nowMs) => {
    const marks = marksOf(files);
    if (known?.marks !== marks) {
      known = { marks, checked: readChecked(files) };
      notBefore(known.checked.notBeforeSecond);
    }
    checkValidity(known.checked, files.certificate, nowMs);
    return known.checked.credentials;
  };
}

/** The same, once. */
export function loadCredentials(files: CredentialFiles, nowMs: number): Credentials {
  return credentialsReader(files)(nowMs);
}

interface Checked {
  /** When the own certificate becomes valid, milliseconds since 1970. */
  readonly notBeforeMs: number;
  /** Of the youngest in the chain. */
  readonly notBeforeSecond: number;
  readonly credentials: Credentials;
}

/** Another one whenever a file has been written, replaced, or given other rights. */
function marksOf({ key, certificate, anchors }: CredentialFiles): string {
  return [key, certificate, ...anchors].map(markOf).join('\n');
}

function markOf(path: string): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? '' : `${stats.ino} ${stats.ctimeNs} ${stats.mtimeNs} ${stats.size}`;
}

/** All that does not depend on the time. */
function readChecked(files: CredentialFiles): Checked {
  const key = readKey(files.key);
  const certificate = readCertificates(files.certificate);
  const chain = certificatesIn(certificate, files.certificate);
  const [own] = chain;
  checkPair(own, key.object, files);
  checkCurves(chain, files.certificate);
  const anchors = files.anchors.map(readAnchors);
  const commonName = commonNameOf(own);
  const notAfterMs = own.validToDate.getTime();
  const credentials = { key: key.pem, certificate, anchors, commonName, notAfterMs };
  const notBeforeMs = own.validFromDate.getTime();
  return { notBeforeMs, notBeforeSecond: newestIn(chain), credentials };
}

/**
 * When the youngest certificate of a chain became valid, seconds since 1970: it was this late at
 * the least. Nothing where the file cannot be read; a connection tells why.
 */
export function newestNotBefore({
  certificate,
}: Pick<CredentialFiles, 'certificate'>): number | undefined {
  try {
    return newestIn(certificatesIn(readCertificates(certificate), certificate));
  } catch {
    return undefined;
  }
}

function newestIn(chain: readonly X509Certificate[]): number {
  return Math.max(...chain.map(({ validFromDate }) => validFromDate.getTime() / 1000));
}

function readAnchors(path: string): string {
  const pem = readCertificates(path);
  checkCurves(certificatesIn(pem, path), path);
  return pem;
}

function readCertificates(path: string): string {
  return readBounded(path, { users: 'anyone', bytesMax: CERTIFICATES_BYTES_MAX }).toString();
}

function readKey(path: string): { pem: string; object: KeyObject } {
  const pem = readBounded(path, { users: 'owner', bytesMax: KEY_BYTES_MAX }).toString();
  try {
    return { pem, object: createPrivateKey(pem) };
  } catch (error) {
    const hint = 'It must hold one unencrypted private key in PEM (PKCS#8 or SEC1).';
    throw refused('key-unreadable', `${path} holds no usable private key`, path, hint, error);
  }
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificatesIn(pem: string, path: string): [X509Certificate, ...X509Certificate[]] {
  const hint = 'It must hold certificates in PEM.';
  try {
    const [first, ...rest] = (pem.match(PEM_CERTIFICATE) ?? []).map(
      (block) => new X509Certificate(block),
    );
    if (first !== undefined) return [first, ...rest];
  } catch (error) {
    throw refused('certificate-unreadable', `${path} is damaged`, path, hint, error);
  }
  throw refused('certificate-unreadable', `${path} holds no certificate`, path, hint);
}

function checkPair(own: X509Certificate, key: KeyObject, files: CredentialFiles): void {
  if (own.checkPrivateKey(key)) return;
  throw refused(
    'key-mismatch',
    `${files.key} is not the key of ${files.certificate}`,
    files.key,
    "The file's first certificate must be the gateway's own; enrol again if the key was replaced.",
  );
}

function checkValidity(
  { notBeforeMs, credentials: { notAfterMs } }: Checked,
  path: string,
  nowMs: number,
): void {
  if (nowMs >= notBeforeMs && nowMs <= notAfterMs) return;
  const clock = `the clock says ${isoOf(nowMs)}`;
  if (nowMs < notBeforeMs) {
    const message = `${path} is valid from ${isoOf(notBeforeMs)}, ${clock}`;
    const hint = 'Check the clock and its synchronisation first, then the certificate.';
    throw refused('certificate-not-yet-valid', message, path, hint);
  }
  const message = `${path} was valid until ${isoOf(notAfterMs)}, ${clock}`;
  throw refused('certificate-expired', message, path, 'Renew it, or enrol this gateway again.');
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** What the head-ends' PKIs use; RSA keys have no curve and pass. */
const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'];

/** Node 24's TLS client crashes while it verifies a chain that holds a brainpool key. */
function checkCurves(certificates: readonly X509Certificate[], path: string): void {
  for (const certificate of certificates) {
    const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey;
    if (asymmetricKeyType !== 'ec') continue;
    const curve = asymmetricKeyDetails?.namedCurve ?? 'explicit parameters';
    if (CURVES.includes(curve)) continue;
    const brainpool = curve.startsWith('brainpool');
    throw refused(
      brainpool ? 'anchor-brainpool-refused' : 'anchor-curve-refused',
      `${path} holds a key on ${curve} (${certificate.subject})`,
      path,
      `Use a chain on one of ${CURVES.join(', ')}.`,
    );
  }
}

/** The subject's first CN; `subject` has a line for each attribute. */
function commonNameOf(certificate: X509Certificate): string {
  return /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '';
}

function refused(
  code: CredentialCode,
  message: string,
  path: string,
  hint: string,
  cause?: unknown,
): OperatingError {
  return new OperatingError(code, message, { path, hint, cause });
}
