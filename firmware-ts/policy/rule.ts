import { OperatingError } from '#bytes/failure.ts';
import type { DeliveryClass } from './delivery-class.ts';
import { PATTERN_LENGTH_MAX } from './pattern.ts';

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
  /** What need not be sent again while it has hardly changed; the first that names it counts. */
  readonly deadband?: readonly Deadband[];
}

/**
 * A value of `objects` that differs from the last one sent by no more than the wider of the two
 * bands is not sent; what is no number is not sent while it is the same.
 */
export interface Deadband {
  readonly objects: readonly string[];
  /** In the reading's own unit. */
  readonly absolute?: number;
  /** Of the last value sent, which the back-end knows, too. */
  readonly percent?: number;
  /** After so long a value is sent whatever it is. */
  readonly maxSeconds: number;
}

/** A house has tens of rules. */
export const RULES_MAX = 1024;
export const DEADBANDS_MAX = 256; // of a rule; a pattern a quantity, and few differ
/** More than any unit's values in a house; the digits of a band stay few. */
export const ABSOLUTE_MAX = 1e12;
export const PERCENT_MAX = 100;
/** A day: what a back-end has heard nothing of for longer it should not rely on. */
export const SILENCE_SECONDS_MAX = 86_400;

/** Errors: `bad-policy` with the field, e.g. `rules[2].to`. */
export function assertRules(rules: readonly Rule[], backends: readonly string[]): void {
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
    assertDeadbands(rule.deadband ?? [], `${place}.deadband`);
  }
}

function assertDeadbands(deadbands: readonly Deadband[], place: string): void {
  if (deadbands.length > DEADBANDS_MAX) refuse(place, `more than ${DEADBANDS_MAX}`);
  for (const [index, { objects, absolute, percent, maxSeconds }] of deadbands.entries()) {
    const field = `${place}[${index}]`;
    assertPatterns(objects, `${field}.objects`);
    if (absolute === undefined && percent === undefined) refuse(field, 'it has no band');
    assertWithin(absolute ?? 0, ABSOLUTE_MAX, `${field}.absolute`);
    assertWithin(percent ?? 0, PERCENT_MAX, `${field}.percent`);
    assertWithin(maxSeconds, SILENCE_SECONDS_MAX, `${field}.maxSeconds`);
  }
}

/** NaN is within nothing. */
function assertWithin(value: number, max: number, field: string): void {
  if (!(value >= 0 && value <= max)) refuse(field, `${value} is not within 0 and ${max}`);
}

function assertPatterns(patterns: readonly string[], field: string): void {
  if (patterns.length === 0) refuse(field, 'the list is empty, so that it names nothing');
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
