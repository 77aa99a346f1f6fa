import type { AttributeDescriptor } from './data.ts';
import { APDU_TAG } from './apdu-tags.ts';
import type { AccessSelection, SelectedAttribute } from './descriptors.ts';
import { ACCESS_SELECTION, ATTRIBUTE, SELECTED_ATTRIBUTE } from './descriptors.ts';
import type { Layout, Member } from './layout.ts';
import {
  BOOLEAN,
  OCTET_STRING,
  U32,
  U8,
  apdu,
  choice,
  only,
  optional,
  sequence,
  sequenceOf,
} from './layout.ts';
import type { GetDataResult } from './results.ts';
import { GET_DATA_RESULT } from './results.ts';

/** Get-Request (IEC 62056-5-3, 8.4). */
export type GetRequest =
  | {
      readonly kind: 'get-request-normal';
      readonly invokeIdAndPriority: number;
      readonly attribute: AttributeDescriptor;
      readonly accessSelection?: AccessSelection;
    }
  | {
      readonly kind: 'get-request-next';
      readonly invokeIdAndPriority: number;
      readonly blockNumber: number;
    }
  | {
      readonly kind: 'get-request-with-list';
      readonly invokeIdAndPriority: number;
      readonly attributes: readonly SelectedAttribute[];
    };

/** Get-Response. */
export type GetResponse =
  | {
      readonly kind: 'get-response-normal';
      readonly invokeIdAndPriority: number;
      readonly result: GetDataResult;
    }
  | {
      readonly kind: 'get-response-with-datablock';
      readonly invokeIdAndPriority: number;
      readonly result: DataBlockG;
    }
  | {
      readonly kind: 'get-response-with-list';
      readonly invokeIdAndPriority: number;
      readonly results: readonly GetDataResult[];
    };

/** DataBlock-G. */
export interface DataBlockG {
  readonly lastBlock: boolean;
  /** Counted from 1. */
  readonly blockNumber: number;
  readonly result: RawDataResult;
}

export type RawDataResult =
  | { readonly kind: 'raw-data'; readonly rawData: Uint8Array }
  | { readonly kind: 'data-access-result'; readonly result: number };

export const GET_REQUEST = apdu<GetRequest>(
  APDU_TAG.getRequest,
  choice<GetRequest>({
    'get-request-normal': [
      1,
      sequence<Member<GetRequest, 'get-request-normal'>>({
        invokeIdAndPriority: U8,
        attribute: ATTRIBUTE,
        accessSelection: optional(ACCESS_SELECTION),
      }),
    ],
    'get-request-next': [
      2,
      sequence<Member<GetRequest, 'get-request-next'>>({
        invokeIdAndPriority: U8,
        blockNumber: U32,
      }),
    ],
    'get-request-with-list': [
      3,
      sequence<Member<GetRequest, 'get-request-with-list'>>({
        invokeIdAndPriority: U8,
        attributes: sequenceOf(SELECTED_ATTRIBUTE),
      }),
    ],
  }),
);

const RAW_DATA_RESULT: Layout<RawDataResult> = choice<RawDataResult>({
  'raw-data': [0, only('rawData', OCTET_STRING)],
  'data-access-result': [1, only('result', U8)],
});

export const GET_RESPONSE = apdu<GetResponse>(
  APDU_TAG.getResponse,
  choice<GetResponse>({
    'get-response-normal': [
      1,
      sequence<Member<GetResponse, 'get-response-normal'>>({
        invokeIdAndPriority: U8,
        result: GET_DATA_RESULT,
      }),
    ],
    'get-response-with-datablock': [
      2,
      sequence<Member<GetResponse, 'get-response-with-datablock'>>({
        invokeIdAndPriority: U8,
        result: sequence<DataBlockG>({
          lastBlock: BOOLEAN,
          blockNumber: U32,
          result: RAW_DATA_RESULT,
        }),
      }),
    ],
    'get-response-with-list': [
      3,
      sequence<Member<GetResponse, 'get-response-with-list'>>({
        invokeIdAndPriority: U8,
        results: sequenceOf(GET_DATA_RESULT),
      }),
    ],
  }),
);
