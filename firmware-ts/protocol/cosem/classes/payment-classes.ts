import type { InterfaceClass } from './interface-class.ts';
import { fields, listOf, words } from './interface-class.ts';

const ACCOUNT = fields({
  account_mode: { words: { 1: 'credit', 2: 'prepayment' } },
  account_status: { words: { 1: 'new', 2: 'active', 3: 'closed' } },
});

const UNIT_CHARGE = fields({
  charge_per_unit_scaling: fields({ commodity_scale: 'integer', price_scale: 'integer' }),
  commodity_reference: fields({
    class_id: 'long-unsigned',
    logical_name: 'logical-name',
    attribute_index: 'integer',
  }),
  charge_table: listOf(fields({ index: 'octet-string', charge_per_unit: 'long' })),
});

/** Payment metering (IEC 62056-6-2, 4.6). */
export const PAYMENT_CLASSES: readonly InterfaceClass[] = [
  {
    classId: 111,
    versions: [0],
    name: 'Account',
    attributes: {
      account_mode_and_status: ACCOUNT,
      current_credit_in_use: 'unsigned',
      current_credit_status: 'bit-string',
      available_credit: 'double-long',
      amount_to_clear: 'double-long',
      clearance_threshold: 'double-long',
      aggregated_debt: 'double-long',
      credit_reference_list: listOf('logical-name'),
      charge_reference_list: listOf('logical-name'),
      credit_charge_configuration: 'array',
      token_gateway_configuration: 'array',
      account_activation_time: 'moment',
      account_closure_time: 'moment',
      currency: 'structure',
      low_credit_threshold: 'double-long',
      next_credit_available_threshold: 'double-long',
      max_provision: 'long-unsigned',
      max_provision_period: 'double-long',
    },
    dynamic: ['current_credit_in_use', 'current_credit_status', 'available_credit'],
    methods: ['activate_account', 'close_account', 'reset_account'],
  },
  {
    classId: 112,
    versions: [0],
    name: 'Credit',
    attributes: {
      current_credit_amount: 'double-long',
      credit_type: words('token', 'reserved', 'emergency', 'time-based', 'consumption-based'),
      priority: 'unsigned',
      warning_threshold: 'double-long',
      limit: 'double-long',
      credit_configuration: 'bit-string',
      credit_status: words('enabled', 'selectable', 'invoked', 'in use', 'exhausted'),
      preset_credit_amount: 'double-long',
      credit_available_threshold: 'double-long',
      period: 'moment',
    },
    dynamic: ['current_credit_amount', 'credit_status'],
    methods: ['update_amount', 'set_amount_to_value', 'invoke_credit'],
  },
  {
    classId: 113,
    versions: [0],
    name: 'Charge',
    attributes: {
      total_amount_paid: 'double-long',
      charge_type: words('consumption-based', 'time-based', 'payment-event-based'),
      priority: 'unsigned',
      unit_charge_active: UNIT_CHARGE,
      unit_charge_passive: UNIT_CHARGE,
      unit_charge_activation_time: 'moment',
      period: 'double-long-unsigned',
      charge_configuration: 'bit-string',
      last_collection_time: 'moment',
      last_collection_amount: 'double-long',
      total_amount_remaining: 'double-long',
      proportion: 'long-unsigned',
    },
    dynamic: ['total_amount_paid', 'last_collection_time', 'last_collection_amount'],
    units: { period: 's' },
    methods: [
      'update_unit_charge',
      'activate_passive_unit_charge',
      'collect',
      'update_total_amount_remaining',
      'set_total_amount_remaining',
    ],
  },
  {
    classId: 115,
    versions: [0],
    name: 'Token gateway',
    attributes: {
      token: 'octet-string',
      token_time: 'moment',
      token_description: listOf('octet-string'),
      token_delivery_method: words('remote', 'local', 'manual'),
      token_status: 'structure',
    },
    dynamic: ['token', 'token_time', 'token_description', 'token_status'],
    methods: ['enter'],
  },
];
