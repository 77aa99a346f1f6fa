import Type from 'typebox';
import type { Static } from 'typebox';
import { closed } from '#config/schema-parts.ts';
import { AssociationSchema } from './description-associations.ts';

const ASSOCIATIONS_MAX = 16;
const REGISTERS_MAX = 64;
/** Ten years of quarter hours. */
const ROWS_MAX = 350_640;

const whole = (minimum: number, maximum: number, standard: number, description: string) =>
  Type.Integer({ minimum, maximum, default: standard, description });

const RegisterSchema = Type.Object(
  {
    obis: Type.String({
      pattern: '^\\d+-\\d+:\\d+\\.\\d+\\.\\d+\\*\\d+$',
      description: 'an OBIS code in quotes, such as "1-0:2.8.0*255"',
    }),
    unit: Type.String({ minLength: 1, maxLength: 16, description: 'a unit, such as Wh or V' }),
    scaler: whole(-12, 12, 0, 'power of ten, -12 to 12'),
    start: whole(0, 0xffff_ffff, 0, 'its raw value at the beginning of 2026'),
    perHour: whole(0, 3_600_000, 0, 'by how much the raw value grows'),
    swing: whole(0, 1_000_000, 0, 'by how much the raw value goes up and down beside'),
    captured: Type.Boolean({ default: true, description: 'true if the profile has it' }),
  },
  closed,
);

const ProfileSchema = Type.Object(
  {
    periodSeconds: whole(1, 86_400, 900, 'seconds from row to row'),
    rows: whole(0, ROWS_MAX, 960, 'rows at the start; each period adds one'),
    capacity: whole(1, ROWS_MAX, 35_064, 'rows that it holds; the oldest then goes'),
  },
  { ...closed, default: {} },
);

const PushSchema = Type.Object(
  {
    destination: Type.String({
      pattern: '^(line|[A-Za-z0-9.:_-]{1,253}:\\d{1,5})$',
      default: 'line',
      description: 'HOST:PORT, or line: into the stream of who asks, as on a serial line',
    }),
    client: Type.Integer({ minimum: 1, maximum: 127, description: 'whose keys seal it, 1 to 127' }),
    everySeconds: whole(1, 86_400, 900, 'seconds from push to push'),
    retries: whole(0, 255, 3, 'tries more, where the destination is away'),
    retrySeconds: whole(1, 65_535, 10, 'seconds before each of them'),
  },
  { ...closed, description: 'registers at an interval, and the disconnector when it switches' },
);

/** What a file tells of a simulated meter; what it leaves out, the usual meter has. */
export const MeterSchema = Type.Object(
  {
    name: Type.String({
      pattern: '^[!-~]{1,16}$',
      default: 'NRM0000000000001',
      description: 'logical device name, up to 16 characters',
    }),
    systemTitle: Type.String({
      pattern: '^(?:[0-9A-Fa-f]{2}){8}$',
      default: '4e524d0000000001',
      description: 'a system title, 16 hex digits in quotes',
    }),
    logical: whole(1, 127, 1, 'logical device, 1 to 127'),
    physical: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 127, description: 'physical device on HDLC, 1 to 127' }),
    ),
    associations: Type.Optional(
      Type.Array(AssociationSchema, { minItems: 1, maxItems: ASSOCIATIONS_MAX }),
    ),
    registers: Type.Optional(Type.Array(RegisterSchema, { maxItems: REGISTERS_MAX })),
    profile: ProfileSchema,
    push: Type.Optional(PushSchema),
  },
  closed,
);

export type RegisterDescription = Static<typeof RegisterSchema>;
export type ProfileDescription = Static<typeof ProfileSchema>;
export type PushDescription = Static<typeof PushSchema>;
export type WrittenMeter = Static<typeof MeterSchema>;
