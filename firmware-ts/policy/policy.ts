import type { Observation, Reading } from '#reading/reading.ts';
import { LastSent, bandOf } from './deadband.ts';
import type { Band } from './deadband.ts';
import { DELIVERY_CLASSES, isUrgent } from './delivery-class.ts';
import type { DeliveryClass } from './delivery-class.ts';
import { patternTest } from './pattern.ts';
import { assertRules } from './rule.ts';
import type { Rule } from './rule.ts';

/** What one back-end gets of one observation. */
export interface Projection {
  readonly backend: string;
  /** One back-end, one source (decision 0002) and one class: see `streamOf`. */
  readonly stream: string;
  readonly class: DeliveryClass;
  readonly observation: Observation;
}

export interface Policy {
  /** What leaves of what arrived at `atMs`, monotonic; deadbands remember it as sent. */
  project(observation: Observation, atMs: number): readonly Projection[];
  /** Readings that deadbands have held back from a back-end. */
  heldBack(backend: string): number;
  /** Something that was projected of this source was not kept: its next readings all pass. */
  forget(source: string): void;
}

/** Objects of a source met before, so that a pattern is matched once and not at each telegram. */
const DECIDED_MAX = 2_000;

/**
 * A policy of these rules, for these back-ends. Several rules for one back-end add up: a reading
 * goes once, in the most urgent class that names it, and a deadband holds it back only if each
 * rule that names it has one that does. What is urgent is never held back. Order and content of
 * the readings stay. Errors: `bad-policy` with the field, e.g. `rules[2].to`.
 */
export function policyOf(rules: readonly Rule[], backends: readonly string[]): Policy {
  assertRules(rules, backends);
  const recipients = [...new Set(rules.map(({ to }) => to))].map((to) => {
    return new Recipient(
      to,
      rules.filter((rule) => rule.to === to),
    );
  });
  return {
    project: (observation, atMs) =>
      recipients.flatMap((recipient) => recipient.project(observation, atMs)),
    heldBack: (backend) => recipients.find((one) => one.backend === backend)?.heldBack ?? 0,
    forget(source) {
      for (const recipient of recipients) recipient.forget(source);
    },
  };
}

/** The outgoing stream of a source in a class; most have but one, which has the source's name. */
export function streamOf(source: string, of: DeliveryClass): string {
  return of === 'measurement' ? source : `${source}_${of}`;
}

class Recipient {
  readonly backend: string;
  heldBack = 0;
  readonly #decide: (source: string, object: string) => Decision | undefined;
  readonly #lastSent = new LastSent();

  constructor(backend: string, rules: readonly Rule[]) {
    this.backend = backend;
    this.#decide = decider(rules);
  }

  project(observation: Observation, atMs: number): readonly Projection[] {
    const { source } = observation;
    const byClass = new Map<DeliveryClass, Reading[]>();
    for (const reading of observation.readings) {
      const decision = this.#decide(source, reading.object);
      if (decision === undefined) continue;
      const { class: of, bands } = decision;
      const passes =
        bands === undefined || this.#lastSent.mustSend(observation, reading, bands, atMs);
      if (!passes) {
        this.heldBack += 1;
        continue;
      }
      const others = byClass.get(of);
      if (others === undefined) byClass.set(of, [reading]);
      else others.push(reading);
    }
    return [...byClass].map(([of, readings]) => {
      const stream = streamOf(source, of);
      return {
        backend: this.backend,
        class: of,
        stream,
        observation: { ...observation, readings },
      };
    });
  }

  forget(source: string): void {
    this.#lastSent.forget(source);
  }
}

/** What is done with an object of a source. */
interface Decision {
  readonly class: DeliveryClass;
  /** Absent where all passes. */
  readonly bands?: readonly Band[];
}

interface Matcher {
  readonly class: DeliveryClass;
  readonly names: (source: string, object: string) => boolean;
  readonly bandOf: (object: string) => Band | undefined;
}

function decider(rules: readonly Rule[]): (source: string, object: string) => Decision | undefined {
  const matchers = DELIVERY_CLASSES.flatMap((of) =>
    rules.filter((rule) => (rule.class ?? 'measurement') === of).map(matcherOf),
  );
  const sources = new Map<string, Map<string, Decision | undefined>>();
  return (source, object) => {
    const decided = sources.get(source) ?? new Map<string, Decision | undefined>();
    if (decided.size === 0) sources.set(source, decided);
    const known = decided.get(object);
    if (known !== undefined || decided.has(object)) return known;
    const decision = decisionOf(
      matchers.filter(({ names }) => names(source, object)),
      object,
    );
    if (decided.size >= DECIDED_MAX) decided.clear();
    decided.set(object, decision);
    return decision;
  };
}

/** Of the rules that name `object`, the most urgent first. */
function decisionOf(naming: readonly Matcher[], object: string): Decision | undefined {
  const [first] = naming;
  if (first === undefined) return undefined;
  const bands = naming
    .map((matcher) => matcher.bandOf(object))
    .filter((band) => band !== undefined);
  const free = isUrgent(first.class) || bands.length < naming.length;
  return { class: first.class, ...(free ? {} : { bands }) };
}

function matcherOf(rule: Rule): Matcher {
  const tests = rule.objects.map(patternTest);
  const anySource = rule.sources.includes('*');
  const deadbands = (rule.deadband ?? []).map((deadband) => {
    return { tests: deadband.objects.map(patternTest), band: bandOf(deadband) };
  });
  return {
    class: rule.class ?? 'measurement',
    names: (source, object) =>
      (anySource || rule.sources.includes(source)) && tests.some((test) => test(object)),
    bandOf: (object) =>
      deadbands.find((deadband) => deadband.tests.some((test) => test(object)))?.band,
  };
}
