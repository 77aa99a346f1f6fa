import { missingKeys } from '#identity/association-keys.ts';
import type { Keyring } from '#identity/keyring.ts';
import type { Finding } from './problem.ts';
import type { SourceConfiguration } from './schema.ts';
import type { Mark } from './walk.ts';

type AskedSource = Extract<SourceConfiguration, { protocol: 'dlms' }>;

/** What fits the line of a meter that is asked, and the keys that its association needs. */
export function judgeAsked(
  mark: Mark,
  source: AskedSource,
  keyring: Keyring | undefined,
): Finding[] {
  return [...judgeLine(mark, source), ...judgeSecurity(mark, source, keyring)];
}

const ASKED_OVER: readonly string[] = ['serial', 'tcp', 'udp-client'];

function judgeLine(mark: Mark, { link, framing, signOn }: AskedSource): Finding[] {
  const findings: Finding[] = [];
  if (!ASKED_OVER.includes(link.kind)) {
    findings.push({
      code: 'not-allowed',
      path: `${mark.path}.link`,
      at: mark.atKey('link'),
      message: `a meter is not asked over ${link.kind}`,
      hint: `write a link of kind ${ASKED_OVER.join(', ')}, or protocol: dlms-push`,
    });
  }
  if (signOn && (link.kind !== 'serial' || framing === 'wrapper')) {
    findings.push({
      code: 'not-allowed',
      path: `${mark.path}.signOn`,
      at: mark.atKey('signOn'),
      message: 'only a serial line with hdlc begins with a sign-on',
      hint: 'remove signOn, or write link: { kind: serial, … } and framing: hdlc',
    });
  }
  return findings;
}

function judgeSecurity(mark: Mark, source: AskedSource, keyring: Keyring | undefined): Finding[] {
  const { name, ciphering, authentication } = source;
  const findings: Finding[] = [];
  const missing = missingKeys(source, keyring?.named(name));
  if (missing.length > 0) {
    const key = ciphering === undefined ? 'mechanism' : 'ciphering';
    const fields = missing.map((field) => `${field}: '...'`).join(', ');
    findings.push({
      code: 'missing-key',
      path: `${mark.path}.${key}`,
      at: mark.atKey(key),
      message: `the keyring has no ${missing.join(' and no ')} of ${name}`,
      hint: `add keyring: FILE to this file, and in it ${name}: { ${fields} }`,
    });
  }
  if (authentication === 'require' && ciphering === undefined) {
    findings.push({
      code: 'not-allowed',
      path: `${mark.path}.authentication`,
      at: mark.atKey('authentication'),
      message: 'nothing proves what is sent in clear',
      hint: 'add ciphering: {}, or write authentication: if-key',
    });
  }
  return findings;
}
