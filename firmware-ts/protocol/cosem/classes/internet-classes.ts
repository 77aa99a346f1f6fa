import type { InterfaceClass, Shape } from './interface-class.ts';
import { fields, listOf, words } from './interface-class.ts';
import { WINDOWS } from './shapes.ts';

const AUTO_CONNECT = {
  mode: 'enum',
  repetitions: 'unsigned',
  repetition_delay: 'long-unsigned',
  calling_window: WINDOWS,
  destination_list: listOf('octet-string'),
} as const satisfies Readonly<Record<string, Shape>>;

const AUTO_ANSWER = {
  mode: 'enum',
  listening_window: WINDOWS,
  status: words('inactive', 'active', 'locked'),
  number_of_calls: 'unsigned',
  number_of_rings: fields({ nr_rings_in_window: 'unsigned', nr_rings_out_of_window: 'unsigned' }),
} as const satisfies Readonly<Record<string, Shape>>;

/** Exchange over telephone lines and the Internet (IEC 62056-6-2, 4.7, 4.9). */
export const INTERNET_CLASSES: readonly InterfaceClass[] = [
  {
    classId: 28,
    versions: [0],
    name: 'Auto answer',
    attributes: AUTO_ANSWER,
    dynamic: ['status'],
    methods: [],
  },
  {
    classId: 28,
    versions: [2],
    name: 'Auto answer',
    attributes: {
      ...AUTO_ANSWER,
      list_of_allowed_callers: listOf(fields({ caller_id: 'octet-string', call_type: 'enum' })),
    },
    dynamic: ['status'],
    methods: [],
  },
  {
    classId: 29,
    versions: [1],
    name: 'Auto connect',
    attributes: AUTO_CONNECT,
    units: { repetition_delay: 's' },
    methods: [],
  },
  {
    classId: 29,
    versions: [2],
    name: 'Auto connect',
    attributes: AUTO_CONNECT,
    units: { repetition_delay: 's' },
    methods: ['connect'],
  },
  {
    classId: 41,
    versions: [0],
    name: 'TCP-UDP setup',
    attributes: {
      'TCP-UDP_port': 'long-unsigned',
      IP_reference: 'logical-name',
      MSS: 'long-unsigned',
      nb_of_sim_conn: 'unsigned',
      inactivity_time_out: 'long-unsigned',
    },
    units: { inactivity_time_out: 's' },
    methods: [],
  },
  {
    classId: 42,
    versions: [0],
    name: 'IPv4 setup',
    attributes: {
      DL_reference: 'logical-name',
      IP_address: 'double-long-unsigned',
      multicast_IP_address: listOf('double-long-unsigned'),
      IP_options: 'array',
      subnet_mask: 'double-long-unsigned',
      gateway_IP_address: 'double-long-unsigned',
      use_DHCP_flag: 'boolean',
      primary_DNS_address: 'double-long-unsigned',
      secondary_DNS_address: 'double-long-unsigned',
    },
    methods: ['add_mc_IP_address', 'delete_mc_IP_address', 'get_nbof_mc_IP_addresses'],
  },
  {
    classId: 43,
    versions: [0],
    name: 'MAC address setup',
    attributes: { MAC_address: 'octet-string' },
    methods: [],
  },
  {
    classId: 44,
    versions: [0],
    name: 'PPP setup',
    attributes: {
      PHY_reference: 'logical-name',
      LCP_options: 'array',
      IPCP_options: 'array',
      PPP_authentication: 'choice',
    },
    methods: [],
  },
  {
    classId: 46,
    versions: [0],
    name: 'SMTP setup',
    attributes: {
      server_port: 'long-unsigned',
      user_name: 'octet-string',
      login_password: 'octet-string',
      server_address: 'octet-string',
      sender_address: 'octet-string',
    },
    methods: [],
  },
  {
    classId: 48,
    versions: [0],
    name: 'IPv6 setup',
    attributes: {
      DL_reference: 'logical-name',
      address_config_mode: words('auto', 'DHCPv6', 'manual', 'neighbour discovery'),
      unicast_IPv6_addresses: listOf('octet-string'),
      multicast_IPv6_addresses: listOf('octet-string'),
      gateway_IPv6_addresses: listOf('octet-string'),
      primary_DNS_address: 'octet-string',
      secondary_DNS_address: 'octet-string',
      traffic_class: 'unsigned',
      neighbor_discovery_setup: 'array',
    },
    methods: ['add_IPv6_address', 'remove_IPv6_address'],
  },
  {
    classId: 100,
    versions: [0],
    name: 'NTP setup',
    attributes: {
      activated: 'boolean',
      server_address: 'octet-string',
      server_port: 'long-unsigned',
      authentication_method: words('no security', 'shared secrets', 'autokey IFF'),
      authentication_keys: listOf(fields({ key_id: 'double-long-unsigned', key: 'octet-string' })),
      client_key: 'octet-string',
    },
    methods: ['synchronize', 'add_authentication_key', 'delete_authentication_key'],
  },
];
