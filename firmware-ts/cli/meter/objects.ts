import { readObjectList } from '#protocol/cosem/object-list.ts';
import { obisText } from '#protocol/cosem/obis.ts';
import { interfaceClassOf } from '#protocol/cosem/classes/lookup.ts';
import { obisWords } from '#protocol/cosem/obis-words.ts';
import type { AccessRight, CosemObject } from '#protocol/cosem/object-list.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import { printTable } from '../table.ts';
import { countryOf, meterVerb, withMeter } from './session.ts';

/** `normctl meter objects` */
export const meterObjects = meterVerb(async (invocation, terminal) => {
  const country = countryOf(invocation);
  const objects = await withMeter(invocation, terminal, (meter, names) =>
    meter.run(readObjectList(names)),
  );
  if (invocation.json) {
    printData(terminal, invocation, { objects: objects.map((object) => jsonOf(object, country)) });
    return EXIT.ok;
  }
  terminal.out(`${objects.length} objects`);
  printTable(
    terminal,
    [
      { title: 'object' },
      { title: 'class', least: 13 },
      { title: 'name', least: 12 },
      { title: 'attributes', least: 10 },
      { title: 'methods', least: 7 },
    ],
    objects.map(({ logicalName, classId, version, attributes, methods }) => [
      obisText(logicalName),
      classText(classId, version),
      obisWords(logicalName, country) ?? '-',
      idsOf(attributes),
      idsOf(methods),
    ]),
  );
  return EXIT.ok;
});

/** Number, version and name: `3 v0 Register`. */
function classText(classId: number, version: number): string {
  const name = interfaceClassOf(classId, version)?.name;
  return [classId, `v${version}`, ...(name === undefined ? [] : [name])].join(' ');
}

/** Numbers of those that this client may use. */
function idsOf(rights: readonly AccessRight[]): string {
  const allowed = rights.filter(({ mode }) => mode !== 0).map(({ id }) => id);
  return allowed.length === 0 ? '-' : allowed.join(' ');
}

function jsonOf({ logicalName, ...object }: CosemObject, country: string | undefined): object {
  const className = interfaceClassOf(object.classId, object.version)?.name;
  return {
    logicalName: obisText(logicalName),
    name: obisWords(logicalName, country),
    className,
    ...object,
  };
}
