import type { Companion } from './companion.ts';

export const FRANCE: readonly Companion[] = [
  {
    countries: ['FR'],
    title: 'Linky',
    source: 'Enedis, ERDF-CPT-Linky-SPEC-FONC-CPT-MDD 1.2',
    objects: {
      '0-0:23.1.0': 'Euridis setup',
      '0-0:94.33.0': 'customer interface (TIC) setup',
      '0-0:94.33.10': 'PLC G3 timeout',
      '0-0:94.33.11': 'PLC G3 keep-alive',
      '0-0:96.15.0': 'cover openings',
      '0-0:96.15.1': 'breaker openings',
      '0-0:96.15.2': 'breaker openings above the maximum current',
      '0-1:96.11.0': 'event code: main',
      '0-2:96.11.0': 'event code: cover',
      '0-3:96.11.0': 'event code: breaker',
      '0-4:96.11.0': 'event code: communication',
      '0-5:96.11.0': 'event code: voltage cuts',
      '0-6:96.11.0': 'event code: peaks',
      '0-1:15.0.0': 'end of billing period, monthly',
      '0-2:15.0.0': 'end of billing period, daily',
      '0-3:15.0.0': 'end of billing period, on demand',
      '1-0:0.12.1': 'overheating: current limit',
      '1-0:0.12.2': 'overheating: duration limit',
      '1-0:96.5.1': 'status register',
      '1-0:96.63.11': 'producer or consumer',
    },
  },
];
