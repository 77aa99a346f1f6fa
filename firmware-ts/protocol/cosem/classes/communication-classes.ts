import type { InterfaceClass, Shape } from './interface-class.ts';
import { fields, listOf, words } from './interface-class.ts';
import { BAUD, WINDOWS } from './shapes.ts';

const TRANSPORT = words(
  ...['TCP', 'UDP', 'FTP', 'SMTP', 'SMS', 'HDLC', 'M-Bus', 'ZigBee', 'DLMS gateway'],
);

const PUSH_SETUP = {
  push_object_list: 'array',
  send_destination_and_method: fields({
    transport_service: TRANSPORT,
    destination: 'octet-string',
    message: words('A-XDR', 'XML'),
  }),
  communication_window: WINDOWS,
  randomisation_start_interval: 'long-unsigned',
  number_of_retries: 'unsigned',
  repetition_delay: 'choice',
} as const satisfies Readonly<Record<string, Shape>>;

const PUSH_SETUP_1 = {
  ...PUSH_SETUP,
  port_reference: 'logical-name',
  push_client_SAP: 'integer',
  push_protection_parameters: 'array',
} as const satisfies Readonly<Record<string, Shape>>;

const MBUS_CLIENT = {
  mbus_port_reference: 'logical-name',
  capture_definition: listOf(
    fields({ data_information_block: 'octet-string', value_information_block: 'octet-string' }),
  ),
  capture_period: 'double-long-unsigned',
  primary_address: 'unsigned',
  identification_number: 'double-long-unsigned',
  manufacturer_id: 'long-unsigned',
  version: 'unsigned',
  device_type: 'unsigned',
  access_number: 'unsigned',
  status: 'unsigned',
  alarm: 'unsigned',
} as const satisfies Readonly<Record<string, Shape>>;

const MBUS_METHODS = [
  'slave_install',
  'slave_deinstall',
  'capture',
  'reset_alarm',
  'synchronize_clock',
  'data_send',
  'set_encryption_key',
  'transfer_key',
];

/** Exchange over local ports, modems and M-Bus, and pushing (IEC 62056-6-2, 4.7, 4.8, 4.4.8). */
export const COMMUNICATION_CLASSES: readonly InterfaceClass[] = [
  {
    classId: 19,
    versions: [0, 1],
    name: 'IEC local port setup',
    attributes: {
      default_mode: words('IEC 62056-21', 'HDLC', 'not specified'),
      default_baud: BAUD,
      prop_baud: BAUD,
      response_time: words('20 ms', '200 ms'),
      device_addr: 'octet-string',
      pass_p1: 'octet-string',
      pass_p2: 'octet-string',
      pass_w5: 'octet-string',
    },
    methods: [],
  },
  {
    classId: 23,
    versions: [0, 1],
    name: 'IEC HDLC setup',
    attributes: {
      comm_speed: BAUD,
      window_size_transmit: 'unsigned',
      window_size_receive: 'unsigned',
      max_info_field_length_transmit: 'long-unsigned',
      max_info_field_length_receive: 'long-unsigned',
      inter_octet_time_out: 'long-unsigned',
      inactivity_time_out: 'long-unsigned',
      device_address: 'long-unsigned',
    },
    units: { inactivity_time_out: 's' },
    methods: [],
  },
  {
    classId: 25,
    versions: [0],
    name: 'M-Bus slave port setup',
    attributes: {
      default_baud: BAUD,
      avail_baud: BAUD,
      addr_state: words('not assigned', 'assigned'),
      bus_address: 'unsigned',
    },
    methods: [],
  },
  {
    classId: 27,
    versions: [0, 1],
    name: 'Modem configuration',
    attributes: {
      comm_speed: BAUD,
      initialization_string: 'array',
      modem_profile: listOf('octet-string'),
    },
    methods: [],
  },
  {
    classId: 40,
    versions: [0],
    name: 'Push setup',
    attributes: PUSH_SETUP,
    units: { randomisation_start_interval: 's' },
    methods: ['push'],
  },
  {
    classId: 40,
    versions: [1],
    name: 'Push setup',
    attributes: PUSH_SETUP_1,
    units: { randomisation_start_interval: 's' },
    methods: ['push'],
  },
  {
    classId: 40,
    versions: [2],
    name: 'Push setup',
    attributes: {
      ...PUSH_SETUP_1,
      push_operation_method: words(
        ...['unconfirmed, repeated on failure', 'unconfirmed, repeated if missing', 'confirmed'],
      ),
      confirmation_parameters: 'structure',
      last_confirmation_date_time: 'moment',
    },
    dynamic: ['last_confirmation_date_time'],
    units: { randomisation_start_interval: 's' },
    methods: ['push', 'reset'],
  },
  {
    classId: 72,
    versions: [0],
    name: 'M-Bus client',
    attributes: MBUS_CLIENT,
    dynamic: ['access_number', 'status', 'alarm'],
    units: { capture_period: 's' },
    methods: MBUS_METHODS,
  },
  {
    classId: 72,
    versions: [1],
    name: 'M-Bus client',
    attributes: {
      ...MBUS_CLIENT,
      configuration: 'long-unsigned',
      encryption_key_status: words(
        ...['no key', 'key set', 'key transferred', 'key set and transferred', 'key in use'],
      ),
    },
    dynamic: ['access_number', 'status', 'alarm', 'encryption_key_status'],
    units: { capture_period: 's' },
    methods: MBUS_METHODS,
  },
  {
    classId: 74,
    versions: [0],
    name: 'M-Bus master port setup',
    attributes: { comm_speed: BAUD },
    methods: [],
  },
];
