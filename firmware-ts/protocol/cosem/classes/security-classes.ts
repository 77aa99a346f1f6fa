import type { InterfaceClass, Shape } from './interface-class.ts';
import { words } from './interface-class.ts';

const SECURITY_SETUP = {
  security_policy: 'enum',
  security_suite: words('AES-GCM-128', 'ECDH-ECDSA P-256, AES-GCM-128', 'P-384, AES-GCM-256'),
  client_system_title: 'octet-string',
  server_system_title: 'octet-string',
} as const satisfies Readonly<Record<string, Shape>>;

/** Keys, protected data and guarded ports (IEC 62056-6-2, 4.4). */
export const SECURITY_CLASSES: readonly InterfaceClass[] = [
  {
    classId: 30,
    versions: [0],
    name: 'Data protection',
    attributes: {
      protection_buffer: 'octet-string',
      protection_object_list: 'array',
      protection_parameters_get: 'array',
      protection_parameters_set: 'array',
      required_protection: 'enum',
    },
    dynamic: ['protection_buffer'],
    methods: ['get_protected_attributes', 'set_protected_attributes', 'invoke_protected_method'],
  },
  {
    classId: 64,
    versions: [0],
    name: 'Security setup',
    attributes: SECURITY_SETUP,
    methods: ['security_activate', 'global_key_transfer'],
  },
  {
    classId: 64,
    versions: [1],
    name: 'Security setup',
    attributes: { ...SECURITY_SETUP, certificates: 'array' },
    methods: [
      'security_activate',
      'key_transfer',
      'key_agreement',
      'generate_key_pair',
      'generate_certificate_request',
      'import_certificate',
      'export_certificate',
      'remove_certificate',
    ],
  },
  {
    classId: 124,
    versions: [0],
    name: 'Communication port protection',
    attributes: {
      protection_mode: words('locked', 'locked on failed attempts', 'unlocked'),
      allowed_failed_attempts: 'long-unsigned',
      initial_lockout_time: 'double-long-unsigned',
      steepness_factor: 'unsigned',
      max_lockout_time: 'double-long-unsigned',
      port_reference: 'logical-name',
      protection_status: words('unlocked', 'temporarily locked', 'locked'),
      failed_attempts: 'double-long-unsigned',
      cumulative_failed_attempts: 'double-long-unsigned',
    },
    dynamic: ['protection_status', 'failed_attempts', 'cumulative_failed_attempts'],
    units: { initial_lockout_time: 's', max_lockout_time: 's' },
    methods: ['reset'],
  },
];
