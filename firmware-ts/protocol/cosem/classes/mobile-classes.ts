import type { InterfaceClass, Shape } from './interface-class.ts';
import { fields, listOf, words } from './interface-class.ts';

/** Packet-switched status: each version knows more networks than the one before. */
const PACKET_SWITCHED = {
  0: ['inactive', 'GPRS', 'EDGE', 'UMTS', 'HSDPA'],
  1: ['inactive', 'GPRS', 'EDGE', 'UMTS', 'HSDPA', 'LTE', 'CDMA'],
  2: [
    ...['inactive', 'GPRS', 'EDGE', 'UMTS', 'HSDPA', 'LTE', 'CDMA'],
    ...['LTE Cat M1', 'LTE Cat NB1', 'LTE Cat NB2'],
  ],
} as const;

const CELL_0 = {
  cell_ID: 'long-unsigned',
  location_ID: 'long-unsigned',
  signal_quality: 'unsigned',
  ber: 'unsigned',
} as const satisfies Readonly<Record<string, Shape>>;

const CELL_1 = {
  ...CELL_0,
  cell_ID: 'double-long-unsigned',
  mcc: 'long-unsigned',
  mnc: 'long-unsigned',
  channel_number: 'double-long-unsigned',
} as const satisfies Readonly<Record<string, Shape>>;

function gsmDiagnostic(version: 0 | 1 | 2, cell: Shape): InterfaceClass {
  return {
    classId: 47,
    versions: [version],
    name: 'GSM diagnostic',
    attributes: {
      operator: 'visible-string',
      status: words(
        'not registered',
        'registered, home network',
        'not registered, searching',
        'registration denied',
        'unknown',
        'registered, roaming',
      ),
      cs_attachment: words('inactive', 'incoming call', 'active'),
      ps_status: words(...PACKET_SWITCHED[version]),
      cell_info: cell,
      adjacent_cells: listOf(fields({ cell_ID: 'choice', signal_quality: 'unsigned' })),
      capture_time: 'moment',
    },
    dynamic: [
      ...['operator', 'status', 'cs_attachment', 'ps_status'],
      ...['cell_info', 'adjacent_cells', 'capture_time'],
    ],
    methods: [],
  };
}

/** Exchange over mobile networks (IEC 62056-6-2, 4.7). */
export const MOBILE_CLASSES: readonly InterfaceClass[] = [
  {
    classId: 45,
    versions: [0],
    name: 'GPRS modem setup',
    attributes: { APN: 'octet-string', PIN_code: 'long-unsigned', quality_of_service: 'structure' },
    methods: [],
  },
  gsmDiagnostic(0, fields(CELL_0)),
  gsmDiagnostic(1, fields(CELL_1)),
  gsmDiagnostic(2, fields(CELL_1)),
  {
    classId: 151,
    versions: [1],
    name: 'LTE monitoring',
    attributes: { LTE_network_parameters: 'structure', LTE_quality_of_service: 'structure' },
    dynamic: ['LTE_network_parameters', 'LTE_quality_of_service'],
    methods: [],
  },
];
