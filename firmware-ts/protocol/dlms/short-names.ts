import { APDU_TAG } from './apdu-tags.ts';
import type { Data } from './data.ts';
import type { Layout, Member, Optional } from './layout.ts';
import {
  BOOLEAN,
  DATA,
  DATA_LIST,
  I16,
  NOTHING,
  OCTET_STRING,
  U16,
  U8,
  apdu,
  choice,
  only,
  optional,
  sequence,
  sequenceOf,
} from './layout.ts';

/** Services of short name referencing (IEC 62056-5-3, 8.4: Variable-Access-Specification). */
export type VariableAccess =
  | { readonly kind: 'variable-name'; readonly variableName: number }
  | {
      readonly kind: 'parameterized-access';
      readonly variableName: number;
      readonly selector: number;
      readonly parameter: Data;
    }
  | { readonly kind: 'block-number-access'; readonly blockNumber: number }
  | {
      readonly kind: 'read-data-block-access';
      readonly lastBlock: boolean;
      readonly blockNumber: number;
      readonly rawData: Uint8Array;
    }
  | {
      readonly kind: 'write-data-block-access';
      readonly lastBlock: boolean;
      readonly blockNumber: number;
    };

export type ReadResult =
  | { readonly kind: 'data'; readonly data: Data }
  | { readonly kind: 'data-access-error'; readonly result: number }
  | {
      readonly kind: 'data-block-result';
      readonly lastBlock: boolean;
      readonly blockNumber: number;
      readonly rawData: Uint8Array;
    }
  | { readonly kind: 'block-number'; readonly blockNumber: number };

export type WriteResult =
  | { readonly kind: 'success' }
  | { readonly kind: 'data-access-error'; readonly result: number }
  | { readonly kind: 'block-number'; readonly blockNumber: number };

export interface WriteRequest {
  readonly variables: readonly VariableAccess[];
  readonly data: readonly Data[];
}

export interface InformationReport extends WriteRequest {
  /** GeneralizedTime, as text. */
  readonly currentTime?: Uint8Array;
}

export const VARIABLE_ACCESS: Layout<VariableAccess> = choice<VariableAccess>({
  'variable-name': [2, only('variableName', I16)],
  'parameterized-access': [
    4,
    sequence<Member<VariableAccess, 'parameterized-access'>>({
      variableName: I16,
      selector: U8,
      parameter: DATA,
    }),
  ],
  'block-number-access': [5, only('blockNumber', U16)],
  'read-data-block-access': [
    6,
    sequence<Member<VariableAccess, 'read-data-block-access'>>({
      lastBlock: BOOLEAN,
      blockNumber: U16,
      rawData: OCTET_STRING,
    }),
  ],
  'write-data-block-access': [
    7,
    sequence<Member<VariableAccess, 'write-data-block-access'>>({
      lastBlock: BOOLEAN,
      blockNumber: U16,
    }),
  ],
});

export const READ_RESULT: Layout<ReadResult> = choice<ReadResult>({
  data: [0, only('data', DATA)],
  'data-access-error': [1, only('result', U8)],
  'data-block-result': [
    2,
    sequence<Member<ReadResult, 'data-block-result'>>({
      lastBlock: BOOLEAN,
      blockNumber: U16,
      rawData: OCTET_STRING,
    }),
  ],
  'block-number': [3, only('blockNumber', U16)],
});

const WRITE_RESULT: Layout<WriteResult> = choice<WriteResult>({
  success: [0, NOTHING],
  'data-access-error': [1, only('result', U8)],
  'block-number': [2, only('blockNumber', U16)],
});

const WRITE = { variables: sequenceOf(VARIABLE_ACCESS), data: DATA_LIST };
const TIME: Optional<Uint8Array> = optional(OCTET_STRING);

export const READ_REQUEST = apdu(APDU_TAG.readRequest, sequenceOf(VARIABLE_ACCESS));
export const READ_RESPONSE = apdu(APDU_TAG.readResponse, sequenceOf(READ_RESULT));
/** A WriteRequest without its tag: what goes in blocks. */
export const WRITE_REQUEST_BODY = sequence<WriteRequest>(WRITE);
export const WRITE_REQUEST = apdu(APDU_TAG.writeRequest, WRITE_REQUEST_BODY);
export const WRITE_RESPONSE = apdu(APDU_TAG.writeResponse, sequenceOf(WRITE_RESULT));
export const UNCONFIRMED_WRITE_REQUEST = apdu(APDU_TAG.unconfirmedWriteRequest, WRITE_REQUEST_BODY);
export const INFORMATION_REPORT_REQUEST = apdu(
  APDU_TAG.informationReportRequest,
  sequence<InformationReport>({ currentTime: TIME, ...WRITE }),
);
