import { APDU_TAG } from './apdu-tags.ts';
import type { DataBlock } from './blocks.ts';
import { DATA_BLOCK } from './blocks.ts';
import type { AttributeDescriptor, Data } from './data.ts';
import type { AccessSelection, SelectedAttribute } from './descriptors.ts';
import { ACCESS_SELECTION, ATTRIBUTE, SELECTED_ATTRIBUTE } from './descriptors.ts';
import type { Member } from './layout.ts';
import {
  DATA,
  DATA_LIST,
  U32,
  U8,
  apdu,
  choice,
  optional,
  sequence,
  sequenceOf,
} from './layout.ts';

/** Set-Request (IEC 62056-5-3, 8.4). */
export type SetRequest =
  | {
      readonly kind: 'set-request-normal';
      readonly invokeIdAndPriority: number;
      readonly attribute: AttributeDescriptor;
      readonly accessSelection?: AccessSelection;
      readonly value: Data;
    }
  | {
      readonly kind: 'set-request-with-first-datablock';
      readonly invokeIdAndPriority: number;
      readonly attribute: AttributeDescriptor;
      readonly accessSelection?: AccessSelection;
      readonly datablock: DataBlock;
    }
  | {
      readonly kind: 'set-request-with-datablock';
      readonly invokeIdAndPriority: number;
      readonly datablock: DataBlock;
    }
  | {
      readonly kind: 'set-request-with-list';
      readonly invokeIdAndPriority: number;
      readonly attributes: readonly SelectedAttribute[];
      readonly values: readonly Data[];
    }
  | {
      readonly kind: 'set-request-with-list-and-first-datablock';
      readonly invokeIdAndPriority: number;
      readonly attributes: readonly SelectedAttribute[];
      readonly datablock: DataBlock;
    };

/** Set-Response; results are Data-Access-Results. */
export type SetResponse =
  | {
      readonly kind: 'set-response-normal';
      readonly invokeIdAndPriority: number;
      readonly result: number;
    }
  | {
      readonly kind: 'set-response-datablock';
      readonly invokeIdAndPriority: number;
      readonly blockNumber: number;
    }
  | {
      readonly kind: 'set-response-last-datablock';
      readonly invokeIdAndPriority: number;
      readonly result: number;
      readonly blockNumber: number;
    }
  | {
      readonly kind: 'set-response-last-datablock-with-list';
      readonly invokeIdAndPriority: number;
      readonly results: readonly number[];
      readonly blockNumber: number;
    }
  | {
      readonly kind: 'set-response-with-list';
      readonly invokeIdAndPriority: number;
      readonly results: readonly number[];
    };

export const SET_REQUEST = apdu<SetRequest>(
  APDU_TAG.setRequest,
  choice<SetRequest>({
    'set-request-normal': [
      1,
      sequence<Member<SetRequest, 'set-request-normal'>>({
        invokeIdAndPriority: U8,
        attribute: ATTRIBUTE,
        accessSelection: optional(ACCESS_SELECTION),
        value: DATA,
      }),
    ],
    'set-request-with-first-datablock': [
      2,
      sequence<Member<SetRequest, 'set-request-with-first-datablock'>>({
        invokeIdAndPriority: U8,
        attribute: ATTRIBUTE,
        accessSelection: optional(ACCESS_SELECTION),
        datablock: DATA_BLOCK,
      }),
    ],
    'set-request-with-datablock': [
      3,
      sequence<Member<SetRequest, 'set-request-with-datablock'>>({
        invokeIdAndPriority: U8,
        datablock: DATA_BLOCK,
      }),
    ],
    'set-request-with-list': [
      4,
      sequence<Member<SetRequest, 'set-request-with-list'>>({
        invokeIdAndPriority: U8,
        attributes: sequenceOf(SELECTED_ATTRIBUTE),
        values: DATA_LIST,
      }),
    ],
    'set-request-with-list-and-first-datablock': [
      5,
      sequence<Member<SetRequest, 'set-request-with-list-and-first-datablock'>>({
        invokeIdAndPriority: U8,
        attributes: sequenceOf(SELECTED_ATTRIBUTE),
        datablock: DATA_BLOCK,
      }),
    ],
  }),
);

export const SET_RESPONSE = apdu<SetResponse>(
  APDU_TAG.setResponse,
  choice<SetResponse>({
    'set-response-normal': [
      1,
      sequence<Member<SetResponse, 'set-response-normal'>>({
        invokeIdAndPriority: U8,
        result: U8,
      }),
    ],
    'set-response-datablock': [
      2,
      sequence<Member<SetResponse, 'set-response-datablock'>>({
        invokeIdAndPriority: U8,
        blockNumber: U32,
      }),
    ],
    'set-response-last-datablock': [
      3,
      sequence<Member<SetResponse, 'set-response-last-datablock'>>({
        invokeIdAndPriority: U8,
        result: U8,
        blockNumber: U32,
      }),
    ],
    'set-response-last-datablock-with-list': [
      4,
      sequence<Member<SetResponse, 'set-response-last-datablock-with-list'>>({
        invokeIdAndPriority: U8,
        results: sequenceOf(U8),
        blockNumber: U32,
      }),
    ],
    'set-response-with-list': [
      5,
      sequence<Member<SetResponse, 'set-response-with-list'>>({
        invokeIdAndPriority: U8,
        results: sequenceOf(U8),
      }),
    ],
  }),
);
