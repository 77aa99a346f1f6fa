import { ACCESS_CLASSES } from './access-classes.ts';
import { COMMUNICATION_CLASSES } from './communication-classes.ts';
import { CONTROL_CLASSES } from './control-classes.ts';
import { DATA_CLASSES } from './data-classes.ts';
import type { InterfaceClass, Shape } from './interface-class.ts';
import { INTERNET_CLASSES } from './internet-classes.ts';
import { PAYMENT_CLASSES } from './payment-classes.ts';

/** Every interface class whose table is here, a row for each set of versions that are alike. */
export const INTERFACE_CLASSES: readonly InterfaceClass[] = [
  ...DATA_CLASSES,
  ...ACCESS_CLASSES,
  ...CONTROL_CLASSES,
  ...PAYMENT_CLASSES,
  ...COMMUNICATION_CLASSES,
  ...INTERNET_CLASSES,
];

/** The class in this version; `undefined` where no table has just this version. */
export function interfaceClassOf(classId: number, version: number): InterfaceClass | undefined {
  return INTERFACE_CLASSES.find(
    (known) => known.classId === classId && known.versions.includes(version),
  );
}

export interface Attribute {
  readonly attributeId: number;
  readonly name: string;
  readonly shape: Shape;
}

/** All attributes, the logical name first. */
export function attributesOf({ attributes }: InterfaceClass): readonly Attribute[] {
  const own = Object.entries(attributes).map(([name, shape], index) => ({
    attributeId: index + 2,
    name,
    shape,
  }));
  return [{ attributeId: 1, name: 'logical_name', shape: 'logical-name' }, ...own];
}
