import { ACCESS_CLASSES } from './access-classes.ts';
import { COMMUNICATION_CLASSES } from './communication-classes.ts';
import { CONTROL_CLASSES } from './control-classes.ts';
import { DATA_CLASSES } from './data-classes.ts';
import type { InterfaceClass, Shape } from './interface-class.ts';
import { INTERNET_CLASSES } from './internet-classes.ts';
import { MOBILE_CLASSES } from './mobile-classes.ts';
import { MONITOR_CLASSES } from './monitor-classes.ts';
import { PAYMENT_CLASSES } from './payment-classes.ts';
import { SECURITY_CLASSES } from './security-classes.ts';

/**
 * Every interface class whose table is here, a row for each set of versions that are alike: after
 * IEC 62056-6-2:2021 (Blue Book part 2, edition 16), older versions after Blue Book 12.1. Names and
 * numbers are those that at least two public object models agree on; a class of which they differ
 * (76, 77, versions 0 of 24 and 151) is left out rather than named wrongly.
 */
export const INTERFACE_CLASSES: readonly InterfaceClass[] = [
  ...DATA_CLASSES,
  ...ACCESS_CLASSES,
  ...SECURITY_CLASSES,
  ...CONTROL_CLASSES,
  ...MONITOR_CLASSES,
  ...PAYMENT_CLASSES,
  ...COMMUNICATION_CLASSES,
  ...INTERNET_CLASSES,
  ...MOBILE_CLASSES,
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
