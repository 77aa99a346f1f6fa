import { Writer } from '#bytes/cursor.ts';
import { OCTET_STRING, sequence } from './layout.ts';

/** What general-ciphering and general-signing begin with (IEC 62056-5-3, 8.4). */
export interface GeneralHeader {
  /** Which request an answer belongs to; 8 bytes of ours. */
  readonly transactionId: Uint8Array;
  readonly originatorSystemTitle: Uint8Array;
  readonly recipientSystemTitle: Uint8Array;
  /** A COSEM date-time, or nothing. */
  readonly dateTime: Uint8Array;
  readonly otherInformation: Uint8Array;
}

export const HEADER_FIELDS = {
  transactionId: OCTET_STRING,
  originatorSystemTitle: OCTET_STRING,
  recipientSystemTitle: OCTET_STRING,
  dateTime: OCTET_STRING,
  otherInformation: OCTET_STRING,
} as const;

const HEADER = sequence<GeneralHeader>(HEADER_FIELDS);

/** Its bytes, lengths included, as they are authenticated and signed. */
export function headerBytes(header: GeneralHeader): Uint8Array {
  const writer = new Writer();
  HEADER.write(writer, header);
  return writer.finish();
}

export const TRANSACTION_ID_BYTES = 8;

export function headerOf(
  transactionId: Uint8Array,
  originatorSystemTitle: Uint8Array,
  recipientSystemTitle: Uint8Array,
): GeneralHeader {
  const nothing = new Uint8Array(0);
  return {
    transactionId,
    originatorSystemTitle,
    recipientSystemTitle,
    dateTime: nothing,
    otherInformation: nothing,
  };
}
