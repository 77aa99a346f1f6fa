import { failureOf, OperatingError, type Failure } from '#bytes/failure.ts';
import type { Stage } from './broker-socket.ts';
import type { Target } from './session.ts';

type Known = readonly [code: string, words: string, hint: string];

const CLOCK_HINT = 'Check the clock and its synchronisation on both sides.';
const UNTRUSTED: Known = [
  'broker-untrusted',
  "the broker's certificate is not signed by a trusted authority",
  'Check the trust anchors (ca), and that this is the right broker.',
];
const REFUSED_US: Known = [
  'certificate-refused',
  'the broker refuses our certificate',
  'Check that the broker trusts its authority, and that it is neither expired nor revoked.',
];
const WAY = 'Check the network, its routes and its firewall.';
const UNREACHABLE: Known = ['unreachable', 'no way to the broker', WAY];
const DNS = "Check the name's spelling and the name server; it is asked again by itself.";
const UNRESOLVED: Known = ['name-not-resolved', "the broker's name is not resolved", DNS];
const NOT_TLS: Known = [
  'not-tls',
  'what answers does not speak TLS as asked',
  'Check the port; a captive portal or a proxy may stand in between.',
];

/** Error codes of Node's net, dns and tls, and of OpenSSL behind it. */
const KNOWN: Readonly<Record<string, Known>> = {
  ECONNREFUSED: [
    'connection-refused',
    'nothing listens there',
    'Check host and port, and that the broker runs.',
  ],
  ENOTFOUND: UNRESOLVED,
  EAI_AGAIN: UNRESOLVED,
  EAI_FAIL: UNRESOLVED,
  ETIMEDOUT: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  ECONNRESET: ['connection-reset', 'the broker closed the connection', 'Look into its log.'],
  EPIPE: ['connection-reset', 'the broker closed the connection', 'Look into its log.'],
  CERT_NOT_YET_VALID: [
    'clock-not-trusted',
    "the broker's certificate is not yet valid by our clock",
    CLOCK_HINT,
  ],
  CERT_HAS_EXPIRED: [
    'broker-certificate-expired',
    "the broker's certificate has expired by our clock",
    CLOCK_HINT,
  ],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'broker-name-mismatch',
    "the broker's certificate is for another name",
    'Use the name that the certificate holds.',
  ],
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  CERT_UNTRUSTED: UNTRUSTED,
  CERT_REVOKED: UNTRUSTED,
  INVALID_CA: UNTRUSTED,
  INVALID_PURPOSE: UNTRUSTED,
  EPROTO: NOT_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: NOT_TLS,
  ERR_SSL_UNSUPPORTED_PROTOCOL: NOT_TLS,
};

/** TLS alerts about our certificate (RFC 8446, 6.2), as OpenSSL spells them. */
const ALERT_ABOUT_US =
  /^ERR_SSL_.*ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED|\w+_FAILURE|DECRYPT_ERROR)$/;

/** Why there is no connection to `target`, from what Node reports. */
export function connectFailureOf(error: unknown, target: Target): Failure {
  if (error instanceof OperatingError) return failureOf(error);
  const code = codeOf(clearestOf(error));
  const known = ALERT_ABOUT_US.test(code) ? REFUSED_US : KNOWN[code];
  const where = `${target.host}:${target.port}`;
  if (known === undefined) {
    return { code: 'connection-failed', message: `${where}: ${failureOf(error).message}` };
  }
  return { code: known[0], message: `${where}: ${known[1]} (${code})`, hint: known[2] };
}

/** A dial was given up: `stopped`, or for what it waited in vain before the broker could speak. */
export function unansweredAt(stage: Stage, { host, port }: Target): Failure {
  switch (stage) {
    case 'name':
      return { code: 'name-not-resolved', message: `${host}: no name server answers`, hint: DNS };
    case 'way':
      return { code: 'unreachable', message: `${host}:${port}: nobody answers`, hint: WAY };
    case 'broker':
      return { code: 'stopped', message: `${host}:${port}: given up` };
  }
}

/** Of the errors of several addresses one that says more than that there is no way. */
function clearestOf(error: unknown): unknown {
  if (!(error instanceof AggregateError)) return error;
  const errors: readonly unknown[] = error.errors;
  return errors.find((one) => KNOWN[codeOf(one)] !== UNREACHABLE) ?? errors[0];
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
