import { toHex } from '#bytes/hex.ts';
import type { ShortNames } from '../dlms/client/short-name-exchange.ts';
import type { Procedure } from '../dlms/procedure.ts';
import type { CosemObject } from './object-list.ts';
import { readObjectList } from './object-list.ts';

/** An attribute takes eight names, of which the first is used (IEC 62056-6-2, 4.1). */
const NAMES_EACH = 8;
/** Reserved for the current association (IEC 62056-6-2, 4.1). */
const ASSOCIATION_SN = {
  classId: 12,
  logicalName: Uint8Array.of(0, 0, 40, 0, 0, 255),
  baseName: 0xfa00,
};

/** The name of a class's first method, from the base name (IEC 62056-6-2, 4: tables of classes). */
const FIRST_METHOD: Readonly<Record<number, number>> = {
  3: 0x28, // register
  4: 0x38, // extended register
  5: 0x48, // demand register
  6: 0x30, // register activation
  7: 0x58, // profile generic
  8: 0x60, // clock
  9: 0x20, // script table
  11: 0x10, // special days table
  12: 0x20, // association SN
  18: 0x40, // image transfer
  20: 0x50, // activity calendar
  64: 0x30, // security setup
  70: 0x20, // disconnect control
};

type Placed = Pick<CosemObject, 'classId' | 'logicalName' | 'baseName'>;

/**
 * Where the objects of a meter with short names are. It knows the current association from the
 * start, so that the list of the others can be read by it.
 */
export class ShortNameTable implements ShortNames {
  readonly #baseNames = new Map<string, number>();

  constructor() {
    this.learn([ASSOCIATION_SN]);
  }

  /** Whether it knows more than the current association. */
  get isLearned(): boolean {
    return this.#baseNames.size > 1;
  }

  /** Objects without a base name are passed over. */
  learn(objects: Iterable<Placed>): void {
    for (const { classId, logicalName, baseName } of objects) {
      if (baseName !== undefined) this.#baseNames.set(keyOf(classId, logicalName), baseName);
    }
  }

  attribute(classId: number, logicalName: Uint8Array, attributeId: number): number | undefined {
    return this.#nameOf(classId, logicalName, NAMES_EACH * (attributeId - 1));
  }

  /** `undefined` also where the class has no method with a short name. */
  method(classId: number, logicalName: Uint8Array, methodId: number): number | undefined {
    const first = FIRST_METHOD[classId];
    if (first === undefined) return undefined;
    return this.#nameOf(classId, logicalName, first + NAMES_EACH * (methodId - 1));
  }

  #nameOf(classId: number, logicalName: Uint8Array, offset: number): number | undefined {
    const baseName = this.#baseNames.get(keyOf(classId, logicalName));
    return baseName === undefined ? undefined : baseName + offset;
  }
}

/** Reads the list of objects into the table; from then on they are asked for by logical names. */
export function* learnShortNames(table: ShortNameTable): Procedure<readonly CosemObject[]> {
  const objects = yield* readObjectList('SN');
  table.learn(objects);
  return objects;
}

function keyOf(classId: number, logicalName: Uint8Array): string {
  return `${classId} ${toHex(logicalName)}`;
}
