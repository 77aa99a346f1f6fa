import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { APDU_TAG, apduName } from './apdu-tags.ts';
import { readLength, writeLength } from './length.ts';

/** Of DLMS: every implementation says 6 (IEC 62056-5-3, 7.2.4). */
export const DLMS_VERSION = 6;

/** InitiateRequest (IEC 62056-5-3, 8.4). */
export interface InitiateRequest {
  readonly dedicatedKey?: Uint8Array;
  /** TRUE where absent. */
  readonly responseAllowed: boolean;
  readonly proposedQualityOfService?: number;
  readonly proposedDlmsVersionNumber: number;
  /** 24 bits; `conformanceFrom` names them. */
  readonly proposedConformance: number;
  readonly clientMaxReceivePduSize: number;
}

/** InitiateResponse. */
export interface InitiateResponse {
  readonly negotiatedQualityOfService?: number;
  readonly negotiatedDlmsVersionNumber: number;
  readonly negotiatedConformance: number;
  readonly serverMaxReceivePduSize: number;
  /** 7 with logical names; with short names the base name of the current association. */
  readonly vaaName: number;
}

/** `[APPLICATION 31] IMPLICIT BIT STRING (SIZE(24))`, in BER even inside A-XDR. */
const CONFORMANCE_TAG = [0x5f, 0x1f] as const;
/** As a bit string: no unused bits, three bytes. Old peers leave the second tag byte out. */
const CONFORMANCE_LENGTH = 4;

/** Errors: `unexpected-apdu`, `truncated`, `bad-conformance`, `trailing-bytes`. */
export function decodeInitiateRequest(apdu: Uint8Array): InitiateRequest {
  const reader = opened(apdu, APDU_TAG.initiateRequest);
  const dedicatedKey = readOptional(reader, 'dedicated-key', () =>
    reader.take(readLength(reader, 'dedicated-key'), 'dedicated-key'),
  );
  const responseAllowed = readOptional(reader, 'response-allowed', () => reader.u8() !== 0);
  const quality = readOptional(reader, 'proposed-quality-of-service', () => reader.i8());
  const request = {
    ...(dedicatedKey === undefined ? {} : { dedicatedKey }),
    responseAllowed: responseAllowed ?? true,
    ...(quality === undefined ? {} : { proposedQualityOfService: quality }),
    proposedDlmsVersionNumber: reader.u8('proposed-dlms-version-number'),
    proposedConformance: readConformance(reader),
    clientMaxReceivePduSize: reader.u16('client-max-receive-pdu-size'),
  };
  return ended(reader, request);
}

export function encodeInitiateRequest(request: InitiateRequest): Uint8Array {
  const { dedicatedKey, responseAllowed, proposedQualityOfService: quality } = request;
  const writer = new Writer().u8(APDU_TAG.initiateRequest);
  if (dedicatedKey === undefined) writer.u8(0);
  else writeLength(writer.u8(1), dedicatedKey.length).bytes(dedicatedKey);
  if (responseAllowed) writer.u8(0);
  else writer.u8(1).u8(0);
  if (quality === undefined) writer.u8(0);
  else writer.u8(1).u8(quality);
  writer.u8(request.proposedDlmsVersionNumber);
  writeConformance(writer, request.proposedConformance);
  return writer.u16(request.clientMaxReceivePduSize).finish();
}

/** Errors: `unexpected-apdu`, `truncated`, `bad-conformance`, `trailing-bytes`. */
export function decodeInitiateResponse(apdu: Uint8Array): InitiateResponse {
  const reader = opened(apdu, APDU_TAG.initiateResponse);
  const quality = readOptional(reader, 'negotiated-quality-of-service', () => reader.i8());
  const response = {
    ...(quality === undefined ? {} : { negotiatedQualityOfService: quality }),
    negotiatedDlmsVersionNumber: reader.u8('negotiated-dlms-version-number'),
    negotiatedConformance: readConformance(reader),
    serverMaxReceivePduSize: reader.u16('server-max-receive-pdu-size'),
    vaaName: reader.u16('vaa-name'),
  };
  return ended(reader, response);
}

export function encodeInitiateResponse(response: InitiateResponse): Uint8Array {
  const { negotiatedQualityOfService: quality } = response;
  const writer = new Writer().u8(APDU_TAG.initiateResponse);
  if (quality === undefined) writer.u8(0);
  else writer.u8(1).u8(quality);
  writer.u8(response.negotiatedDlmsVersionNumber);
  writeConformance(writer, response.negotiatedConformance);
  return writer.u16(response.serverMaxReceivePduSize).u16(response.vaaName).finish();
}

function opened(apdu: Uint8Array, tag: number): Reader {
  const reader = new Reader(apdu);
  const found = reader.u8('apdu-tag');
  if (found === tag) return reader;
  throw new OperatingError('unexpected-apdu', `${apduName(found)} instead of ${apduName(tag)}`, {
    offset: 0,
    field: 'apdu-tag',
  });
}

/** OPTIONAL and DEFAULT begin with a byte that says whether the value is there. */
function readOptional<Value>(reader: Reader, field: string, read: () => Value): Value | undefined {
  return reader.u8(field) === 0 ? undefined : read();
}

function readConformance(reader: Reader): number {
  const offset = reader.offset;
  const first = reader.u8('conformance');
  if (reader.peek() === CONFORMANCE_TAG[1]) reader.u8('conformance');
  const length = reader.u8('conformance');
  const unused = reader.u8('conformance');
  if (first === CONFORMANCE_TAG[0] && length === CONFORMANCE_LENGTH && unused === 0) {
    return reader.u24('conformance');
  }
  throw new OperatingError('bad-conformance', 'no conformance block of 24 bits', {
    offset,
    field: 'conformance',
  });
}

function writeConformance(writer: Writer, bits: number): void {
  writer.u8(CONFORMANCE_TAG[0]).u8(CONFORMANCE_TAG[1]).u8(CONFORMANCE_LENGTH).u8(0).u24(bits);
}

function ended<Value>(reader: Reader, value: Value): Value {
  if (reader.remaining === 0) return value;
  throw new OperatingError('trailing-bytes', `${reader.remaining} bytes after the APDU`, {
    offset: reader.offset,
  });
}
