import type { Companion } from './companion.ts';

export const NORDIC: readonly Companion[] = [
  {
    countries: ['NO'],
    title: 'HAN Norway',
    source: 'NEK: OBIS list of the HAN port (NVE), lists of Aidon, Kaifa, Kamstrup',
    objects: {
      '1-1:0.2.129': 'version of the list',
      '0-0:96.1.7': 'meter type',
      '1-1:0.0.5': 'meter number (GS1)',
      '1-1:96.1.1': 'meter type',
    },
  },
  {
    countries: ['SE'],
    title: 'HAN Sweden',
    source: 'Energiföretagen Sverige: local customer interface of electricity meters',
    objects: { '1-1:0.2.129': 'version of the list' },
  },
  {
    countries: ['DK'],
    title: 'HAN Denmark',
    source: 'Kamstrup OMNIPOWER, list of the HAN port',
    objects: {
      '1-1:0.0.5': 'meter number (GS1)',
      '1-1:0.2.129': 'version of the list',
      '1-1:96.1.1': 'meter type',
    },
  },
  {
    countries: ['FI'],
    title: 'HAN Finland',
    source: 'SESKO/Energiateollisuus: H1 customer port, after DSMR',
    objects: { '1-3:0.2.8': 'version of the P1 output' },
  },
];
