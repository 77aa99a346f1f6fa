import type { InterfaceClass, Shape } from './interface-class.ts';
import { fields, listOf } from './interface-class.ts';
import { ACTIONS, MONITORED_VALUE, SCALER_UNIT, SCRIPT } from './shapes.ts';

const PARAMETER_MONITOR = {
  changed_parameter: fields({
    class_id: 'long-unsigned',
    logical_name: 'logical-name',
    attribute_index: 'integer',
    attribute_value: 'choice',
  }),
  capture_time: 'moment',
  parameter_list: listOf(MONITORED_VALUE),
} as const satisfies Readonly<Record<string, Shape>>;

const PARAMETER_MONITOR_METHODS = ['add_parameter', 'delete_parameter'];

/** What watches values, and what follows of it (IEC 62056-6-2, 4.5). */
export const MONITOR_CLASSES: readonly InterfaceClass[] = [
  {
    classId: 21,
    versions: [0],
    name: 'Register monitor',
    attributes: {
      thresholds: listOf('choice'),
      monitored_value: MONITORED_VALUE,
      actions: listOf(ACTIONS),
    },
    methods: [],
  },
  {
    classId: 65,
    versions: [0],
    name: 'Parameter monitor',
    attributes: PARAMETER_MONITOR,
    dynamic: ['changed_parameter', 'capture_time'],
    methods: PARAMETER_MONITOR_METHODS,
  },
  {
    classId: 65,
    versions: [1],
    name: 'Parameter monitor',
    attributes: {
      ...PARAMETER_MONITOR,
      parameter_list_name: 'octet-string',
      hash_algorithm_id: 'enum',
      parameter_value_digest: 'octet-string',
      parameter_values: 'structure',
    },
    dynamic: ['changed_parameter', 'capture_time', 'parameter_value_digest', 'parameter_values'],
    methods: PARAMETER_MONITOR_METHODS,
  },
  {
    classId: 67,
    versions: [0],
    name: 'Sensor manager',
    attributes: {
      serial_number: 'octet-string',
      metrological_identification: 'octet-string',
      output_type: 'enum',
      adjustment_method: 'octet-string',
      sealing_method: 'enum',
      raw_value: 'choice',
      scaler_unit: SCALER_UNIT,
      status: 'choice',
      capture_time: 'moment',
      raw_value_thresholds: listOf('choice'),
      raw_value_actions: listOf(ACTIONS),
      processed_value: MONITORED_VALUE,
      processed_value_thresholds: listOf('choice'),
      processed_value_actions: listOf(ACTIONS),
    },
    dynamic: ['raw_value', 'status', 'capture_time'],
    methods: ['reset'],
  },
  {
    classId: 68,
    versions: [0],
    name: 'Arbitrator',
    attributes: {
      actions: listOf(SCRIPT),
      permissions_table: listOf('bit-string'),
      weightings_table: listOf(listOf('long-unsigned')),
      most_recent_requests_table: listOf('bit-string'),
      last_outcome: 'unsigned',
    },
    dynamic: ['most_recent_requests_table', 'last_outcome'],
    methods: ['request_action', 'reset'],
  },
  {
    classId: 71,
    versions: [0],
    name: 'Limiter',
    attributes: {
      monitored_value: MONITORED_VALUE,
      threshold_active: 'choice',
      threshold_normal: 'choice',
      threshold_emergency: 'choice',
      min_over_threshold_duration: 'double-long-unsigned',
      min_under_threshold_duration: 'double-long-unsigned',
      emergency_profile: fields({
        emergency_profile_id: 'long-unsigned',
        emergency_activation_time: 'moment',
        emergency_duration: 'double-long-unsigned',
      }),
      emergency_profile_group_id_list: listOf('long-unsigned'),
      emergency_profile_active: 'boolean',
      actions: fields({ action_over_threshold: SCRIPT, action_under_threshold: SCRIPT }),
    },
    dynamic: ['threshold_active', 'emergency_profile_active'],
    units: { min_over_threshold_duration: 's', min_under_threshold_duration: 's' },
    methods: [],
  },
];
