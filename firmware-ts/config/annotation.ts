/** What a schema says beyond JSON Schema; it is left out of the schema for editors. */
export interface Annotation {
  /** The text names a thing of this kind; each name once. */
  readonly defines?: NameKind;
  /** The text refers to a name of this kind. */
  readonly refers?: NameKind;
  /** The text is a path: `secret` and `key` are for their owner alone, all but `any` must exist. */
  readonly path?: 'any' | 'readable' | 'secret' | 'key' | 'keyring';
  /** The value as a whole has a rule in rules.ts. */
  readonly rule?: Rule;
}

type Rule =
  'source' | 'backend' | 'broker-url' | 'schedule' | 'time-zone' | 'policy-rule' | 'deadband';

export type NameKind = 'source' | 'backend';

/** The part of JSON Schema that schema.ts uses, and the checker and editors understand. */
export interface JsonSchema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: false;
  readonly anyOf?: readonly JsonSchema[];
  readonly 'x-normd'?: Annotation;
}
