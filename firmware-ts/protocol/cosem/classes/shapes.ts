import { fields, listOf, words } from './interface-class.ts';

/** IEC 62056-6-2, 4.3.2: scal_unit_type. */
export const SCALER_UNIT = fields({ scaler: 'integer', unit: 'enum' });

/** 4.3.6: capture_object_definition; version 0 has no data_index. */
export const CAPTURE_OBJECT = fields({
  class_id: 'long-unsigned',
  logical_name: 'logical-name',
  attribute_index: 'integer',
  data_index: 'long-unsigned',
});

/** 4.5.6, 4.5.9: value_definition. */
export const MONITORED_VALUE = fields({
  class_id: 'long-unsigned',
  logical_name: 'logical-name',
  attribute_index: 'integer',
});

/** 4.5.6 and 4.5.7: which script of which table. */
export const SCRIPT = fields({
  script_logical_name: 'logical-name',
  script_selector: 'long-unsigned',
});

export const ACTIONS = fields({ action_up: SCRIPT, action_down: SCRIPT });

/** 4.7.5 and 4.7.6 and others: when a channel is used. */
export const WINDOWS = listOf(fields({ start_time: 'moment', end_time: 'moment' }));

/** 4.7.1: rates in baud, by their number. */
export const BAUD = words(
  ...['300', '600', '1200', '2400', '4800', '9600', '19200', '38400', '57600', '115200'],
);

/** 4.4.3 and 4.4.4: who is allowed in an association. */
export const USER = fields({ id: 'unsigned', name: 'visible-string' });
