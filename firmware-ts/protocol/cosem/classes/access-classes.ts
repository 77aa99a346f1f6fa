import type { InterfaceClass, Shape } from './interface-class.ts';
import { fields, listOf, words } from './interface-class.ts';
import { USER } from './shapes.ts';

const ASSOCIATION_LN = {
  object_list: 'array',
  associated_partners_id: fields({ client_SAP: 'integer', server_SAP: 'long-unsigned' }),
  application_context_name: 'choice',
  xDLMS_context_info: fields({
    conformance: 'bit-string',
    max_receive_pdu_size: 'long-unsigned',
    max_send_pdu_size: 'long-unsigned',
    dlms_version_number: 'unsigned',
    quality_of_service: 'integer',
    cyphering_info: 'octet-string',
  }),
  authentication_mechanism_name: 'choice',
  secret: 'octet-string',
  association_status: words('non-associated', 'association-pending', 'associated'),
} as const satisfies Readonly<Record<string, Shape>>;

const LN_METHODS = [
  'reply_to_HLS_authentication',
  'change_HLS_secret',
  'add_object',
  'remove_object',
];
const SN_METHODS = [
  ...['', '', 'read_by_logicalname', '', 'change_secret', '', ''],
  'reply_to_HLS_authentication',
];
const USERS = { user_list: listOf(USER), current_user: USER };

const SECURITY_SETUP = {
  security_policy: 'enum',
  security_suite: words('AES-GCM-128', 'ECDH-ECDSA P-256, AES-GCM-128', 'P-384, AES-GCM-256'),
  client_system_title: 'octet-string',
  server_system_title: 'octet-string',
} as const satisfies Readonly<Record<string, Shape>>;

const IMAGE_TRANSFER_STATUS = words(
  'not initiated',
  'initiated',
  'verification initiated',
  'verification successful',
  'verification failed',
  'activation initiated',
  'activation successful',
  'activation failed',
);

/** Access control and management (IEC 62056-6-2, 4.4). */
export const ACCESS_CLASSES: readonly InterfaceClass[] = [
  {
    classId: 12,
    versions: [0, 1],
    name: 'Association SN',
    attributes: { object_list: 'array' },
    methods: SN_METHODS,
  },
  {
    classId: 12,
    versions: [2],
    name: 'Association SN',
    attributes: {
      object_list: 'array',
      access_rights_list: 'array',
      security_setup_reference: 'logical-name',
    },
    methods: SN_METHODS,
  },
  {
    classId: 12,
    versions: [3, 4],
    name: 'Association SN',
    attributes: {
      object_list: 'array',
      access_rights_list: 'array',
      security_setup_reference: 'logical-name',
      ...USERS,
    },
    dynamic: ['current_user'],
    methods: [...SN_METHODS, 'add_user', 'remove_user'],
  },
  {
    classId: 15,
    versions: [0],
    name: 'Association LN',
    attributes: ASSOCIATION_LN,
    dynamic: ['association_status'],
    methods: LN_METHODS,
  },
  {
    classId: 15,
    versions: [1],
    name: 'Association LN',
    attributes: { ...ASSOCIATION_LN, security_setup_reference: 'logical-name' },
    dynamic: ['association_status'],
    methods: LN_METHODS,
  },
  {
    classId: 15,
    versions: [2, 3],
    name: 'Association LN',
    attributes: { ...ASSOCIATION_LN, security_setup_reference: 'logical-name', ...USERS },
    dynamic: ['association_status', 'current_user'],
    methods: [...LN_METHODS, 'add_user', 'remove_user'],
  },
  {
    classId: 17,
    versions: [0],
    name: 'SAP assignment',
    attributes: {
      SAP_assignment_list: listOf(
        fields({ SAP: 'long-unsigned', logical_device_name: 'octet-string' }),
      ),
    },
    methods: ['connect_logical_device'],
  },
  {
    classId: 18,
    versions: [0],
    name: 'Image transfer',
    attributes: {
      image_block_size: 'double-long-unsigned',
      image_transferred_blocks_status: 'bit-string',
      image_first_not_transferred_block_number: 'double-long-unsigned',
      image_transfer_enabled: 'boolean',
      image_transfer_status: IMAGE_TRANSFER_STATUS,
      image_to_activate_info: listOf(
        fields({
          image_to_activate_size: 'double-long-unsigned',
          image_to_activate_identification: 'octet-string',
          image_to_activate_signature: 'octet-string',
        }),
      ),
    },
    dynamic: [
      'image_transferred_blocks_status',
      'image_first_not_transferred_block_number',
      'image_transfer_status',
      'image_to_activate_info',
    ],
    methods: ['image_transfer_initiate', 'image_block_transfer', 'image_verify', 'image_activate'],
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
];
