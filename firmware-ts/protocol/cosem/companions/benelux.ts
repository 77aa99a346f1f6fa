import type { Companion } from './companion.ts';

export const BENELUX: readonly Companion[] = [
  {
    countries: ['NL'],
    title: 'DSMR',
    source: 'Dutch Smart Meter Requirements 5.0.2, P1 companion standard',
    objects: {
      '1-3:0.2.8': 'version of the P1 output',
      '0-0:96.13.1': 'numeric message code',
      '0-n:24.1.0': 'type of the M-Bus device',
      '0-n:24.4.0': 'valve position',
    },
  },
  {
    countries: ['LU'],
    title: 'SMARTY',
    source: 'Luxmetering, specification of the P1 port 1.1.3',
    objects: {
      '1-3:0.2.8': 'version of the P1 output',
      '0-0:96.13.2': 'consumer message 2',
      '0-0:96.13.3': 'consumer message 3',
      '0-0:96.13.4': 'consumer message 4',
      '0-0:96.13.5': 'consumer message 5',
      '0-n:24.1.0': 'type of the M-Bus device',
      '0-n:24.4.0': 'valve position',
    },
  },
  {
    countries: ['BE'],
    title: 'eMUCS-P1',
    source: 'Fluvius, ORES, RESA, Sibelga: e-MUCS P1 1.7.1',
    objects: {
      '0-0:96.1.4': 'version of the P1 output',
      '0-0:96.1.2': 'EAN of the electricity connection',
      '0-n:96.1.2': 'EAN of the connection',
      '0-0:98.1.0': 'maximum demand of the last 13 months',
      '1-0:31.4.0': 'fuse supervision threshold L1',
      '0-n:24.1.0': 'type of the M-Bus device',
      '0-n:24.2.3': 'gas volume, not corrected',
      '0-n:24.4.0': 'valve position',
    },
  },
];
