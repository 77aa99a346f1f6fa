import type { DataType } from '../../dlms/data.ts';

/**
 * What an attribute holds: a type of `Data`; `choice`, where the object decides; a logical name or
 * a moment in an octet-string; or something made of those.
 */
export type Shape = DataType | 'choice' | 'logical-name' | 'moment' | Words | Fields | List;

/** Numbers with a meaning, of an enumeration or an unsigned. */
export interface Words {
  readonly words: Readonly<Record<number, string>>;
}

/** The fields of a structure, in its order. */
export interface Fields {
  readonly fields: Readonly<Record<string, Shape>>;
}

export interface List {
  readonly listOf: Shape;
}

export interface InterfaceClass {
  readonly classId: number;
  readonly versions: readonly number[];
  readonly name: string;
  /** In the order of their numbers, from 2 on; attribute 1 is the logical name of every class. */
  readonly attributes: Readonly<Record<string, Shape>>;
  /** The attributes that the meter itself changes. */
  readonly dynamic?: readonly string[];
  /** Symbols of `units.ts`, where the class fixes the unit. */
  readonly units?: Readonly<Record<string, string>>;
  /** In the order of their numbers, from 1 on; an empty name is a number not in use. */
  readonly methods: readonly string[];
}

/** Words that count from 0. */
export function words(...names: readonly string[]): Words {
  return { words: Object.fromEntries(names.entries()) };
}

export function listOf(shape: Shape): List {
  return { listOf: shape };
}

export function fields(named: Readonly<Record<string, Shape>>): Fields {
  return { fields: named };
}
