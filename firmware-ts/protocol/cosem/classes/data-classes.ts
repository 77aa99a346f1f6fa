import type { InterfaceClass } from './interface-class.ts';
import { fields, listOf, words } from './interface-class.ts';
import { CAPTURE_OBJECT, SCALER_UNIT } from './shapes.ts';

const OBJECT = fields({ class_id: 'long-unsigned', logical_name: 'logical-name' });

const SORT_METHOD = {
  words: {
    1: 'fifo',
    2: 'lifo',
    3: 'largest',
    4: 'smallest',
    5: 'nearest to zero',
    6: 'farthest from zero',
  },
};

/** Parameters and measurement data (IEC 62056-6-2, 4.3). */
export const DATA_CLASSES: readonly InterfaceClass[] = [
  {
    classId: 1,
    versions: [0],
    name: 'Data',
    attributes: { value: 'choice' },
    methods: [],
  },
  {
    classId: 3,
    versions: [0],
    name: 'Register',
    attributes: { value: 'choice', scaler_unit: SCALER_UNIT },
    dynamic: ['value'],
    methods: ['reset'],
  },
  {
    classId: 4,
    versions: [0],
    name: 'Extended register',
    attributes: {
      value: 'choice',
      scaler_unit: SCALER_UNIT,
      status: 'choice',
      capture_time: 'moment',
    },
    dynamic: ['value', 'status', 'capture_time'],
    methods: ['reset'],
  },
  {
    classId: 5,
    versions: [0],
    name: 'Demand register',
    attributes: {
      current_average_value: 'choice',
      last_average_value: 'choice',
      scaler_unit: SCALER_UNIT,
      status: 'choice',
      capture_time: 'moment',
      start_time_current: 'moment',
      period: 'double-long-unsigned',
      number_of_periods: 'long-unsigned',
    },
    dynamic: [
      'current_average_value',
      'last_average_value',
      'status',
      'capture_time',
      'start_time_current',
    ],
    units: { period: 's' },
    methods: ['reset', 'next_period'],
  },
  {
    classId: 6,
    versions: [0],
    name: 'Register activation',
    attributes: {
      register_assignment: listOf(OBJECT),
      mask_list: listOf(fields({ mask_name: 'octet-string', index_list: listOf('unsigned') })),
      active_mask: 'octet-string',
    },
    dynamic: ['active_mask'],
    methods: ['add_register', 'add_mask', 'delete_mask'],
  },
  {
    classId: 7,
    versions: [0, 1],
    name: 'Profile generic',
    attributes: {
      buffer: 'array',
      capture_objects: listOf(CAPTURE_OBJECT),
      capture_period: 'double-long-unsigned',
      sort_method: SORT_METHOD,
      sort_object: CAPTURE_OBJECT,
      entries_in_use: 'double-long-unsigned',
      profile_entries: 'double-long-unsigned',
    },
    dynamic: ['buffer', 'entries_in_use'],
    units: { capture_period: 's' },
    methods: ['reset', 'capture'],
  },
  {
    classId: 26,
    versions: [0],
    name: 'Utility tables',
    attributes: {
      table_ID: 'long-unsigned',
      length: 'double-long-unsigned',
      buffer: 'octet-string',
    },
    dynamic: ['length', 'buffer'],
    methods: [],
  },
  {
    classId: 61,
    versions: [0],
    name: 'Register table',
    attributes: {
      table_cell_values: 'choice',
      table_cell_definition: 'structure',
      scaler_unit: SCALER_UNIT,
    },
    dynamic: ['table_cell_values'],
    methods: ['reset', 'capture'],
  },
  {
    classId: 62,
    versions: [0, 1],
    name: 'Compact data',
    attributes: {
      compact_buffer: 'octet-string',
      capture_objects: 'array',
      template_id: 'unsigned',
      template_description: 'octet-string',
      capture_method: words('by invoking', 'implicit'),
    },
    dynamic: ['compact_buffer'],
    methods: ['reset', 'capture'],
  },
  {
    classId: 63,
    versions: [0],
    name: 'Status mapping',
    attributes: { status_word: 'choice', mapping_table: 'structure' },
    dynamic: ['status_word'],
    methods: [],
  },
];
