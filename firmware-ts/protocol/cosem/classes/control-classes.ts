import type { InterfaceClass } from './interface-class.ts';
import { fields, listOf, words } from './interface-class.ts';
import { SCRIPT } from './shapes.ts';

const CLOCK_BASE = words(
  ...['not defined', 'internal crystal', 'mains 50 Hz', 'mains 60 Hz', 'GPS', 'radio controlled'],
);

const SERVICE = { words: { 1: 'write attribute', 2: 'execute method' } };

const SEASONS = listOf(
  fields({
    season_profile_name: 'octet-string',
    season_start: 'moment',
    week_name: 'octet-string',
  }),
);

const WEEKS = listOf(
  fields({
    week_profile_name: 'octet-string',
    monday: 'unsigned',
    tuesday: 'unsigned',
    wednesday: 'unsigned',
    thursday: 'unsigned',
    friday: 'unsigned',
    saturday: 'unsigned',
    sunday: 'unsigned',
  }),
);

const DAYS = listOf(
  fields({
    day_id: 'unsigned',
    day_schedule: listOf(
      fields({
        start_time: 'octet-string',
        script_logical_name: 'logical-name',
        script_selector: 'long-unsigned',
      }),
    ),
  }),
);

/** Time- and event-bound control (IEC 62056-6-2, 4.5). */
export const CONTROL_CLASSES: readonly InterfaceClass[] = [
  {
    classId: 8,
    versions: [0],
    name: 'Clock',
    attributes: {
      time: 'moment',
      time_zone: 'long',
      status: 'unsigned',
      daylight_savings_begin: 'moment',
      daylight_savings_end: 'moment',
      daylight_savings_deviation: 'integer',
      daylight_savings_enabled: 'boolean',
      clock_base: CLOCK_BASE,
    },
    dynamic: ['time', 'status'],
    units: { time_zone: 'min', daylight_savings_deviation: 'min' },
    methods: [
      'adjust_to_quarter',
      'adjust_to_measuring_period',
      'adjust_to_minute',
      'adjust_to_preset_time',
      'preset_adjusting_time',
      'shift_time',
    ],
  },
  {
    classId: 9,
    versions: [0],
    name: 'Script table',
    attributes: {
      scripts: listOf(
        fields({
          script_identifier: 'long-unsigned',
          actions: listOf(
            fields({
              service_id: SERVICE,
              class_id: 'long-unsigned',
              logical_name: 'logical-name',
              index: 'integer',
              parameter: 'choice',
            }),
          ),
        }),
      ),
    },
    methods: ['execute'],
  },
  {
    classId: 10,
    versions: [0],
    name: 'Schedule',
    attributes: {
      entries: listOf(
        fields({
          index: 'long-unsigned',
          enable: 'boolean',
          script_logical_name: 'logical-name',
          script_selector: 'long-unsigned',
          switch_time: 'octet-string',
          validity_window: 'long-unsigned',
          exec_weekdays: 'bit-string',
          exec_specdays: 'bit-string',
          begin_date: 'octet-string',
          end_date: 'octet-string',
        }),
      ),
    },
    methods: ['enable_disable', 'insert', 'delete'],
  },
  {
    classId: 11,
    versions: [0],
    name: 'Special days table',
    attributes: {
      entries: listOf(
        fields({ index: 'long-unsigned', specialday_date: 'octet-string', day_id: 'unsigned' }),
      ),
    },
    methods: ['insert', 'delete'],
  },
  {
    classId: 20,
    versions: [0],
    name: 'Activity calendar',
    attributes: {
      calendar_name_active: 'octet-string',
      season_profile_active: SEASONS,
      week_profile_table_active: WEEKS,
      day_profile_table_active: DAYS,
      calendar_name_passive: 'octet-string',
      season_profile_passive: SEASONS,
      week_profile_table_passive: WEEKS,
      day_profile_table_passive: DAYS,
      activate_passive_calendar_time: 'moment',
    },
    methods: ['activate_passive_calendar'],
  },
  {
    classId: 22,
    versions: [0],
    name: 'Single action schedule',
    attributes: {
      executed_script: SCRIPT,
      type: 'enum',
      execution_time: listOf(fields({ time: 'octet-string', date: 'octet-string' })),
    },
    methods: [],
  },
  {
    classId: 70,
    versions: [0],
    name: 'Disconnect control',
    attributes: {
      output_state: 'boolean',
      control_state: words('disconnected', 'connected', 'ready for reconnection'),
      control_mode: 'enum',
    },
    dynamic: ['output_state', 'control_state'],
    methods: ['remote_disconnect', 'remote_reconnect'],
  },
];
