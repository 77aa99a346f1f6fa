import type { Companion } from './companion.ts';

const EVENTS = ['voltage', 'current', 'power', 'transactions', 'others', 'non-rollover', 'control'];

/** One object for each class of events, counted by group E. */
function events(prefix: string, words: string): Record<string, string> {
  return Object.fromEntries(
    EVENTS.map((kind, index) => [`${prefix}.${index}`, `${words}: ${kind}`] as const),
  );
}

export const INDIA: readonly Companion[] = [
  {
    countries: ['IN'],
    title: 'IS 15959',
    source: 'IS 15959 parts 1 to 3, Indian companion specification',
    objects: {
      '0-0:94.91.0': 'tamper count',
      '0-0:94.91.8': 'power failures: total duration',
      '0-0:94.91.9': 'meter type',
      '0-0:94.91.10': 'name plate',
      '0-0:94.91.11': 'meter category',
      '0-0:94.91.12': 'current rating',
      '0-0:94.91.13': 'power on: duration in the billing period',
      '0-0:94.91.14': 'power on: total duration',
      '0-0:94.91.18': 'event status word',
      '0-0:94.91.26': 'event status word filter',
      '0-0:94.96.19': 'metering mode',
      '0-0:94.96.20': 'payment mode',
      '0-0:94.96.21': 'last recharge: token amount',
      '0-0:94.96.22': 'last recharge: time',
      '0-0:94.96.23': 'last recharge: total amount',
      '0-0:94.96.24': 'balance: amount',
      '0-0:94.96.25': 'balance: time',
      '1-0:94.91.0': 'instantaneous profile',
      '1-0:94.91.3': 'scalers of the instantaneous profile',
      '1-0:94.91.4': 'scalers of the block load profile',
      '1-0:94.91.5': 'scalers of the daily load profile',
      '1-0:94.91.6': 'scalers of the billing profile',
      '1-0:94.91.7': 'scalers of the event logs',
      '1-0:94.91.14': 'active current',
      '0-0:96.1.4': 'year of manufacture',
      ...events('0-0:96.11', 'event code'),
      ...events('0-0:96.15', 'event sequence'),
      ...events('0-0:99.98', 'event log'),
    },
  },
];
