import Type from 'typebox';
import type { Static } from 'typebox';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import { PATTERN_LENGTH_MAX } from '#policy/pattern.ts';
import { ABSOLUTE_MAX, DEADBANDS_MAX, PERCENT_MAX, SILENCE_SECONDS_MAX } from '#policy/rule.ts';
import { NAMED, SOURCES_MAX, annotated, closed, name } from './schema-parts.ts';

const objects = Type.Array(
  Type.String({
    pattern: `^[^\\s]{1,${PATTERN_LENGTH_MAX}}$`,
    description: "an object, with * for any text: '1-0:1.8.*'",
  }),
  { minItems: 1, maxItems: 1024, description: "objects, with * for any text: '1-0:1.8.*'" },
);

const Deadband = Type.Object(
  {
    objects,
    absolute: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: ABSOLUTE_MAX,
        description: "a number in the reading's own unit",
      }),
    ),
    percent: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: PERCENT_MAX,
        description: 'a number of per cent, of the value that was sent last',
      }),
    ),
    maxSeconds: Type.Integer({
      minimum: 1,
      maximum: SILENCE_SECONDS_MAX,
      default: 900,
      description: 'seconds after which a value is sent whatever it is',
    }),
  },
  { ...closed, ...annotated({ rule: 'deadband' }) },
);

export const PolicyRule = Type.Object(
  {
    to: name({ refers: 'backend' }),
    purpose: Type.String({
      ...NAMED,
      description: `why it may leave: ${NAMED.description}`,
    }),
    sources: Type.Array(name({ refers: 'source' }), {
      minItems: 1,
      maxItems: SOURCES_MAX,
      description: 'names of sources',
    }),
    objects,
    class: Type.Enum([...DELIVERY_CLASSES], {
      default: 'measurement',
      description:
        'how urgent it is; command and alarm go before all else, bulk when nothing waits',
    }),
    deadband: Type.Optional(
      Type.Array(Deadband, {
        minItems: 1,
        maxItems: DEADBANDS_MAX,
        description: 'what need not be sent again while it hardly changes',
      }),
    ),
  },
  { ...closed, ...annotated({ rule: 'policy-rule' }) },
);

export type PolicyRuleConfiguration = Static<typeof PolicyRule>;
export type DeadbandConfiguration = Static<typeof Deadband>;
