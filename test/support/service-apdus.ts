import { ACCESS_REQUEST, ACCESS_RESPONSE } from '#protocol/dlms/access.ts';
import { ACTION_REQUEST, ACTION_RESPONSE } from '#protocol/dlms/action.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import { CONFIRMED_SERVICE_ERROR } from '#protocol/dlms/errors.ts';
import { EVENT_NOTIFICATION_REQUEST } from '#protocol/dlms/event-notification.ts';
import { GET_REQUEST, GET_RESPONSE } from '#protocol/dlms/get.ts';
import type { Apdu } from '#protocol/dlms/layout.ts';
import { SET_REQUEST, SET_RESPONSE } from '#protocol/dlms/set.ts';
import {
  INFORMATION_REPORT_REQUEST,
  READ_REQUEST,
  READ_RESPONSE,
  WRITE_REQUEST,
  WRITE_RESPONSE,
} from '#protocol/dlms/short-names.ts';

/** How the APDU of each service is read and written, by its tag (IEC 62056-5-3, 8.4). */
export const SERVICE_APDUS: Readonly<Record<number, Apdu<unknown>>> = {
  [APDU_TAG.getRequest]: GET_REQUEST,
  [APDU_TAG.getResponse]: GET_RESPONSE,
  [APDU_TAG.setRequest]: SET_REQUEST,
  [APDU_TAG.setResponse]: SET_RESPONSE,
  [APDU_TAG.actionRequest]: ACTION_REQUEST,
  [APDU_TAG.actionResponse]: ACTION_RESPONSE,
  [APDU_TAG.readRequest]: READ_REQUEST,
  [APDU_TAG.readResponse]: READ_RESPONSE,
  [APDU_TAG.writeRequest]: WRITE_REQUEST,
  [APDU_TAG.writeResponse]: WRITE_RESPONSE,
  [APDU_TAG.accessRequest]: ACCESS_REQUEST,
  [APDU_TAG.accessResponse]: ACCESS_RESPONSE,
  [APDU_TAG.confirmedServiceError]: CONFIRMED_SERVICE_ERROR,
  [APDU_TAG.eventNotificationRequest]: EVENT_NOTIFICATION_REQUEST,
  [APDU_TAG.informationReportRequest]: INFORMATION_REPORT_REQUEST,
};
