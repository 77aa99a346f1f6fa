import { OperatingError } from '#bytes/failure.ts';
import type { Observation, Reading } from '#reading/reading.ts';
import { DELIVERY_CLASSES, type DeliveryClass } from './delivery-class.ts';

/**
 * What may leave the house: `objects` of `sources` may go to the back-end `to`, for `purpose`.
 * What no rule names stays at home.
 */
export interface Rule {
  readonly to: string;
  /** Why it leaves, in words for the customer and for the record. */
  readonly purpose: string;
  /** Names of sources; `*` for all of them. */
  readonly sources: readonly string[];
  /** OBIS codes or channels, in which `*` stands for any characters: `1-0:1.8.*`. */
  readonly objects: readonly string[];
  /** How urgent it is; `measurement` unless said. */
  readonly class?: DeliveryClass;
}

/** What one back-end gets of one observation. */
export interface Projection {
  readonly backend: string;
  /** One back-end, one source (decision 0002) and one class: see `streamOf`. */
  readonly stream: string;
  readonly class: DeliveryClass;
  readonly observation: Observation;
}

export type Policy = (observation: Observation) => readonly Projection[];

/** A house has tens of rules. */
export const RULES_MAX = 1024;
/** OBIS codes have some 20 characters, a PMU's channels up to 255 (CFG-3) and what is added. */
export const PATTERN_LENGTH_MAX = 300;

/** Objects met before, so that a pattern is matched once and not fifty times a second. */
const DECIDED_MAX = 10_000;

/**
 * A policy of these rules, for these back-ends. Several rules for one back-end add up: a reading
 * goes once, in the most urgent class that names it. Order and content of the readings stay.
 * Errors: `bad-policy` with the field, e.g. `rules[2].to`.
 */
export function policyOf(rules: readonly Rule[], backends: readonly string[]): Policy {
  assertRules(rules, backends);
  const recipients = [...new Set(rules.map(({ to }) => to))].map((backend) => {
    return { backend, classOf: decider(rules.filter(({ to }) => to === backend)) };
  });
  return (observation) =>
    recipients.flatMap(({ backend, classOf }) => projections(backend, observation, classOf));
}

/** The outgoing stream of a source in a class; most have but one, which has the source's name. */
export function streamOf(source: string, of: DeliveryClass): string {
  return of === 'measurement' ? source : `${source}_${of}`;
}

type ClassOf = (source: string, object: string) => DeliveryClass | undefined;

function projections(
  backend: string,
  observation: Observation,
  classOf: ClassOf,
): readonly Projection[] {
  const { source } = observation;
  const byClass = new Map<DeliveryClass, Reading[]>();
  for (const reading of observation.readings) {
    const of = classOf(source, reading.object);
    if (of === undefined) continue;
    const others = byClass.get(of);
    if (others === undefined) byClass.set(of, [reading]);
    else others.push(reading);
  }
  return [...byClass].map(([of, readings]) => {
    return {
      backend,
      class: of,
      stream: streamOf(source, of),
      observation: { ...observation, readings },
    };
  });
}

function decider(rules: readonly Rule[]): ClassOf {
  const matchers = DELIVERY_CLASSES.flatMap((of) =>
    rules
      .filter((rule) => (rule.class ?? 'measurement') === of)
      .map(({ sources, objects }) => ({ of, sources, objects: objects.map(glob) })),
  );
  const decided = new Map<string, DeliveryClass | undefined>();
  return (source, object) => {
    const key = `${source}\n${object}`;
    if (decided.has(key)) return decided.get(key);
    const first = matchers.find(
      ({ sources, objects }) =>
        (sources.includes('*') || sources.includes(source)) && objects.some((test) => test(object)),
    );
    if (decided.size >= DECIDED_MAX) decided.clear();
    decided.set(key, first?.of);
    return first?.of;
  };
}

/** Matches in linear time, whatever a device calls its channels. */
function glob(pattern: string): (text: string) => boolean {
  const [prefix = '', ...rest] = pattern.split('*');
  const suffix = rest.pop();
  if (suffix === undefined) return (text) => text === pattern;
  return (text) => {
    if (!text.startsWith(prefix) || !text.endsWith(suffix)) return false;
    let at = prefix.length;
    for (const part of rest) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= text.length - suffix.length;
  };
}

function assertRules(rules: readonly Rule[], backends: readonly string[]): void {
  if (rules.length > RULES_MAX) refuse('rules', `more than ${RULES_MAX} rules`);
  for (const [index, rule] of rules.entries()) {
    const place = `rules[${index}]`;
    if (!backends.includes(rule.to)) {
      const known = backends.length === 0 ? 'none is configured' : `known: ${backends.join(', ')}`;
      refuse(`${place}.to`, `there is no back-end ${JSON.stringify(rule.to)} (${known})`);
    }
    if (rule.purpose.trim() === '') refuse(`${place}.purpose`, 'a rule needs a purpose');
    assertPatterns(rule.sources, `${place}.sources`);
    assertPatterns(rule.objects, `${place}.objects`);
  }
}

function assertPatterns(patterns: readonly string[], field: string): void {
  if (patterns.length === 0) refuse(field, 'the list is empty, so that the rule allows nothing');
  for (const pattern of patterns) {
    if (pattern === '') refuse(field, 'an empty pattern matches nothing');
    if (pattern.length > PATTERN_LENGTH_MAX) {
      refuse(field, `a pattern is longer than ${PATTERN_LENGTH_MAX} characters`);
    }
  }
}

function refuse(field: string, message: string): never {
  throw new OperatingError('bad-policy', `${field}: ${message}`, { field });
}
