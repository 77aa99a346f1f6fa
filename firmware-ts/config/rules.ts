import { dirname, isAbsolute, resolve } from 'node:path';
import { failureOf } from '#bytes/failure.ts';
import { streamOf } from '#policy/policy.ts';
import { NAME } from '#reading/senml-names.ts';
import { assertOpens } from '#system/bounded-file.ts';
import { secretPath } from '#system/service-credentials.ts';
import { isLoopback } from '#system/loopback.ts';
import { scheduleOf } from '#system/schedule.ts';
import type { ScheduleOptions } from '#system/schedule.ts';
import { openTimeZone } from '#system/time-zone.ts';
import type { Annotation, NameKind } from './annotation.ts';
import type { Keyring } from '#identity/keyring.ts';
import { readKeyring } from '#identity/keyring.ts';
import { judgeAsked } from './asked-rules.ts';
import { readKeyFile } from './key-file.ts';
import { nearest } from './nearest.ts';
import type { Finding, ProblemCode } from './problem.ts';
import { quoted } from './quoted.ts';
import type { BackendConfiguration, PolicyRuleConfiguration } from './schema.ts';
import type { DeadbandConfiguration } from './schema-policy.ts';
import type { SourceConfiguration } from './schema.ts';
import type { Mark } from './walk.ts';

/** What a schema cannot say: names, files, and what two keys must agree on. */
export function judge(marks: readonly Mark[], file: string): readonly Finding[] {
  return [
    ...judgeNames(marks),
    ...judgeStreams(marks),
    ...marks.flatMap((mark) => [...judgeMark(mark, file)]),
    ...judgeKeys(marks, file),
  ];
}

/** Where authentication is required there are both keys, in files or in the keyring. */
function judgeKeys(marks: readonly Mark[], file: string): readonly Finding[] {
  const keyring = keyringOf(marks, file);
  return marks
    .filter(({ annotation }) => annotation.rule === 'source')
    .flatMap((mark) => judgeSource(mark, mark.value as SourceConfiguration, keyring));
}

/** `undefined` where there is none, or none that can be read: that is a finding of its own. */
function keyringOf(marks: readonly Mark[], file: string): Keyring | undefined {
  const mark = marks.find(({ annotation }) => annotation.path === 'keyring');
  if (mark === undefined || judgeFile(mark, 'keyring', file).length > 0) return undefined;
  return readKeyring(resolvePath(String(mark.value), file, 'keyring'));
}

function judgeMark(mark: Mark, file: string): readonly Finding[] {
  const { path, rule } = mark.annotation;
  if (path !== undefined) return judgeFile(mark, path, file);
  if (rule === 'backend') return judgeBackend(mark, mark.value as BackendConfiguration);
  if (rule === 'broker-url') return judgeBrokerUrl(mark, String(mark.value));
  if (rule === 'schedule') return judgeSchedule(mark, mark.value as ScheduleOptions);
  if (rule === 'deadband') return judgeDeadband(mark, mark.value as DeadbandConfiguration);
  return rule === 'time-zone' ? judgeTimeZone(mark, String(mark.value)) : [];
}

function* judgeNames(marks: readonly Mark[]): Generator<Finding> {
  const known: Record<NameKind, Map<string, Mark>> = { source: new Map(), backend: new Map() };
  for (const mark of marks) {
    const kind = mark.annotation.defines;
    if (kind === undefined) continue;
    const name = String(mark.value);
    const first = known[kind].get(name);
    if (first === undefined) known[kind].set(name, mark);
    else yield duplicate(mark, name, first);
  }
  for (const mark of marks) {
    const kind = mark.annotation.refers;
    if (kind === undefined || known[kind].has(String(mark.value))) continue;
    yield unknownName(mark, kind, [...known[kind].keys()]);
  }
}

function duplicate({ path, at }: Mark, name: string, first: Mark): Finding {
  const message = `${name} is already the name of ${parentOf(first.path)}`;
  return { code: 'duplicate-name', path, at, message, hint: 'give each its own name' };
}

function unknownName({ path, at, value }: Mark, kind: NameKind, allowed: string[]): Finding {
  const name = String(value);
  const guess = nearest(name, allowed);
  const message = `there is no ${kind} ${name}`;
  const hint = guess === undefined ? `add a ${kind} of this name` : `did you mean ${guess}?`;
  return { code: 'unknown-reference', path, at, message, allowed, hint };
}

const STREAM = new RegExp(NAME);

/** A class gives a stream a name of its own, which is a level of a topic (decision 0006). */
function* judgeStreams(marks: readonly Mark[]): Generator<Finding> {
  const defined = marks.filter(({ annotation }) => annotation.defines === 'source');
  const names = new Set(defined.map(({ value }) => String(value)));
  for (const mark of marks) {
    if (mark.annotation.rule !== 'policy-rule') continue;
    const { sources, class: of } = mark.value as PolicyRuleConfiguration;
    const place = { path: `${mark.path}.class`, at: mark.atKey('class') };
    for (const source of of === 'measurement' ? [] : new Set(sources)) {
      const stream = streamOf(source, of);
      const hint = 'give the source a shorter name, or another one';
      const taken = `its stream ${stream} has the name of another source`;
      const tooLong = `the name of its stream, ${stream}, is too long`;
      if (names.has(stream)) yield { code: 'duplicate-name', ...place, message: taken, hint };
      if (!STREAM.test(stream)) yield { code: 'bad-name', ...place, message: tooLong, hint };
    }
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('.')));
}

const FILE_CHECKS: Readonly<Record<NonNullable<Annotation['path']>, (path: string) => void>> = {
  any: () => undefined,
  readable: (path) => assertOpens(path, 'anyone'),
  secret: (path) => assertOpens(path, 'owner'),
  key: (path) => void readKeyFile(path),
  keyring: (path) => void readKeyring(path),
};

function judgeFile(mark: Mark, kind: NonNullable<Annotation['path']>, file: string): Finding[] {
  try {
    FILE_CHECKS[kind](resolvePath(String(mark.value), file, kind));
    return [];
  } catch (error) {
    const { code, message, hint = 'check the file' } = failureOf(error);
    return [{ code: fileCode(code), path: mark.path, at: mark.at, message, hint }];
  }
}

function fileCode(code: string): ProblemCode {
  // Only of keys is anything read.
  if (code === 'file-too-long' || code === 'bad-keyring') return 'bad-key-file';
  return code === 'file-too-open' || code === 'bad-key-file' ? code : 'missing-file';
}

/**
 * Relative paths begin at the folder of the configuration; what is secret may be a credential of
 * the service. Errors: those of `secretPath`.
 */
export function resolvePath(
  written: string,
  file: string,
  kind: NonNullable<Annotation['path']>,
): string {
  const open = kind === 'any' || kind === 'readable';
  const path = open ? written : secretPath(written);
  return isAbsolute(path) ? path : resolve(dirname(file), path);
}

function judgeSource(
  mark: Mark,
  source: SourceConfiguration,
  keyring: Keyring | undefined,
): Finding[] {
  if (source.protocol === 'dlms') return judgeAsked(mark, source, keyring);
  if (source.link.kind === 'udp-client') return [notAsked(mark)];
  if (source.protocol === 'c37118' || source.authentication !== 'require') return [];
  const inFiles = Object.keys(source.keys).length > 0;
  const keys = inFiles ? source.keys : (keyring?.named(source.name)?.cipherKeys() ?? {});
  if (keys.authentication !== undefined && keys.encryption !== undefined) return [];
  const hint = 'add keys: { encryption: FILE, authentication: FILE }, or authentication: if-key';
  return [
    {
      code: 'missing-key',
      path: `${mark.path}.keys`,
      at: mark.atKey('authentication'),
      message: 'authentication is required but there are not both keys to check it',
      hint,
    },
  ];
}

/** Who is not asked sends to us, and the port that it sends to has to be ours. */
function notAsked(mark: Mark): Finding {
  return {
    code: 'not-allowed',
    path: `${mark.path}.link`,
    at: mark.atKey('link'),
    message: 'udp-client is for meters that are asked',
    hint: 'write link: { kind: udp, … }, or protocol: dlms',
  };
}

function judgeDeadband(mark: Mark, { absolute, percent }: DeadbandConfiguration): Finding[] {
  if (absolute !== undefined || percent !== undefined) return [];
  const place = { path: `${mark.path}.absolute`, at: mark.at };
  const hint = 'add absolute: NUMBER in the unit of the reading, or percent: NUMBER';
  return [{ code: 'missing-key', ...place, message: 'a deadband needs a band', hint }];
}

function judgeTimeZone({ path, at }: Mark, name: string): Finding[] {
  try {
    openTimeZone(name);
    return [];
  } catch (error) {
    const { message, hint = 'write another name' } = failureOf(error);
    const guess = nearest(name, Intl.supportedValuesOf('timeZone'));
    const meant = guess === undefined ? hint : `did you mean ${guess}?`;
    return [{ code: 'unknown-time-zone', path, at, message, hint: meant }];
  }
}

function judgeBackend(mark: Mark, backend: BackendConfiguration): Finding[] {
  const { url, brokers = [], identity } = backend;
  const targets = [url, ...brokers.map((broker) => broker.url)].map((each) => URL.parse(each));
  const secure = targets.some((target) => target?.protocol === 'mqtts:');
  if (!secure || identity !== undefined) return [];
  const hint = 'add identity: { key: FILE, certificate: FILE, trust: FILE }';
  const place = { path: `${mark.path}.identity`, at: mark.at };
  return [{ code: 'missing-key', ...place, message: 'mqtts:// needs an identity', hint }];
}

function judgeBrokerUrl({ path, at }: Mark, url: string): Finding[] {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.port === '0') {
    const hint = 'write mqtts://host:port, the port from 1 to 65535, an IPv6 address in brackets';
    return [{ code: 'bad-url', path, at, message: `${quoted(url)} leads nowhere`, hint }];
  }
  const { protocol, hostname } = parsed;
  if (protocol !== 'mqtt:' || isLoopback(hostname)) return [];
  const message = `mqtt:// to ${hostname} would send readings in the clear`;
  return [{ code: 'plaintext-refused', path, at, message, hint: 'use mqtts:// with an identity' }];
}

function judgeSchedule(mark: Mark, options: ScheduleOptions): Finding[] {
  try {
    scheduleOf(options);
    return [];
  } catch (error) {
    const { message, hint = 'write another one' } = failureOf(error);
    const place = { path: `${mark.path}.cron`, at: mark.atKey('cron') };
    return [{ code: 'bad-schedule', ...place, message, hint }];
  }
}
