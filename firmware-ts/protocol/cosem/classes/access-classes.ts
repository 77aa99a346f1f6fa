import { IMAGE_STATUSES } from '../image-status.ts';
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

const IMAGE_TRANSFER_STATUS = words(...IMAGE_STATUSES.map((word) => word.replaceAll('-', ' ')));

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
    classId: 122,
    versions: [0],
    name: 'Function control',
    attributes: {
      activation_status: listOf(fields({ function_name: 'octet-string', status: 'boolean' })),
      function_list: listOf(
        fields({ function_name: 'octet-string', function_specifications: 'array' }),
      ),
    },
    dynamic: ['activation_status'],
    methods: ['set_function_status', 'add_function', 'remove_function'],
  },
  {
    classId: 123,
    versions: [0],
    name: 'Array manager',
    attributes: { array_object_list: 'array' },
    methods: [
      'retrieve_number_of_entries',
      'retrieve_entries',
      'insert_entry',
      'update_entry',
      'remove_entries',
    ],
  },
];
