import { readObjectList } from '#protocol/cosem/object-list.ts';
import { obisText } from '#protocol/cosem/obis.ts';
import type { AccessRight, CosemObject } from '#protocol/cosem/object-list.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import { printTable } from '../table.ts';
import { meterVerb, withMeter } from './session.ts';

/** `normctl meter objects` */
export const meterObjects = meterVerb(async (invocation, terminal) => {
  const objects = await withMeter(invocation, (meter) => meter.run(readObjectList('LN')));
  if (invocation.json) {
    printData(terminal, invocation, { objects: objects.map(jsonOf) });
    return EXIT.ok;
  }
  terminal.out(`${objects.length} objects`);
  printTable(
    terminal,
    [
      { title: 'object' },
      { title: 'class', align: 'right' },
      { title: 'version', align: 'right' },
      { title: 'attributes', least: 10 },
      { title: 'methods', least: 8 },
    ],
    objects.map(({ logicalName, classId, version, attributes, methods }) => [
      obisText(logicalName),
      String(classId),
      String(version),
      idsOf(attributes),
      idsOf(methods),
    ]),
  );
  return EXIT.ok;
});

/** Numbers of those that this client may use. */
function idsOf(rights: readonly AccessRight[]): string {
  const allowed = rights.filter(({ mode }) => mode !== 0).map(({ id }) => id);
  return allowed.length === 0 ? '-' : allowed.join(' ');
}

function jsonOf({ logicalName, ...object }: CosemObject): object {
  return { logicalName: obisText(logicalName), ...object };
}
