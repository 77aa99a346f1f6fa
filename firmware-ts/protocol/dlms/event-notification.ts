import { APDU_TAG } from './apdu-tags.ts';
import type { AttributeDescriptor, Data } from './data.ts';
import { ATTRIBUTE } from './descriptors.ts';
import { DATA, OCTET_STRING, apdu, optional, sequence } from './layout.ts';

/** EventNotificationRequest (IEC 62056-5-3, 8.4): what a server says of its own accord, LN. */
export interface EventNotification {
  /** 12 bytes of date-time. */
  readonly time?: Uint8Array;
  readonly attribute: AttributeDescriptor;
  readonly value: Data;
}

export const EVENT_NOTIFICATION_REQUEST = apdu(
  APDU_TAG.eventNotificationRequest,
  sequence<EventNotification>({
    time: optional(OCTET_STRING),
    attribute: ATTRIBUTE,
    value: DATA,
  }),
);
