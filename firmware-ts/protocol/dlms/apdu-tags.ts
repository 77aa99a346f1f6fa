/** First byte of an xDLMS or ACSE APDU (IEC 62056-5-3, 8.4 and Annex C: XDLMS-APDU CHOICE). */
export const APDU_TAG = {
  initiateRequest: 0x01,
  readRequest: 0x05,
  writeRequest: 0x06,
  initiateResponse: 0x08,
  readResponse: 0x0c,
  writeResponse: 0x0d,
  confirmedServiceError: 0x0e,
  dataNotification: 0x0f,
  dataNotificationConfirm: 0x10,
  unconfirmedWriteRequest: 0x16,
  informationReportRequest: 0x18,
  gloInitiateRequest: 0x21,
  gloReadRequest: 0x25,
  gloWriteRequest: 0x26,
  gloInitiateResponse: 0x28,
  gloReadResponse: 0x2c,
  gloWriteResponse: 0x2d,
  gloConfirmedServiceError: 0x2e,
  gloUnconfirmedWriteRequest: 0x36,
  gloInformationReportRequest: 0x38,
  dedReadRequest: 0x45,
  dedWriteRequest: 0x46,
  dedReadResponse: 0x4c,
  dedWriteResponse: 0x4d,
  dedConfirmedServiceError: 0x4e,
  dedUnconfirmedWriteRequest: 0x56,
  dedInformationReportRequest: 0x58,
  aarq: 0x60,
  aare: 0x61,
  rlrq: 0x62,
  rlre: 0x63,
  getRequest: 0xc0,
  setRequest: 0xc1,
  eventNotificationRequest: 0xc2,
  actionRequest: 0xc3,
  getResponse: 0xc4,
  setResponse: 0xc5,
  actionResponse: 0xc7,
  gloGetRequest: 0xc8,
  gloSetRequest: 0xc9,
  gloEventNotificationRequest: 0xca,
  gloActionRequest: 0xcb,
  gloGetResponse: 0xcc,
  gloSetResponse: 0xcd,
  gloActionResponse: 0xcf,
  dedGetRequest: 0xd0,
  dedSetRequest: 0xd1,
  dedEventNotificationRequest: 0xd2,
  dedActionRequest: 0xd3,
  dedGetResponse: 0xd4,
  dedSetResponse: 0xd5,
  dedActionResponse: 0xd7,
  exceptionResponse: 0xd8,
  accessRequest: 0xd9,
  accessResponse: 0xda,
  generalGloCiphering: 0xdb,
  generalDedCiphering: 0xdc,
  generalCiphering: 0xdd,
  generalSigning: 0xdf,
  generalBlockTransfer: 0xe0,
} as const;

const TAGS: ReadonlySet<number> = new Set(Object.values(APDU_TAG));

/** Whether bytes begin like an APDU; 57 of 256 first bytes do. */
export function looksLikeApdu(bytes: Uint8Array): boolean {
  const tag = bytes[0];
  return tag !== undefined && TAGS.has(tag);
}

/** The name of an APDU's tag for people, or its hexadecimal form. */
export function apduName(tag: number): string {
  const entry = Object.entries(APDU_TAG).find(([, value]) => value === tag);
  return entry?.[0] ?? `0x${tag.toString(16).padStart(2, '0')}`;
}
