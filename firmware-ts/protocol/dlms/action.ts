import { APDU_TAG } from './apdu-tags.ts';
import type { DataBlock } from './blocks.ts';
import { DATA_BLOCK } from './blocks.ts';
import type { Data } from './data.ts';
import { METHOD } from './descriptors.ts';
import type { Layout, Member } from './layout.ts';
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
import type { GetDataResult } from './results.ts';
import { GET_DATA_RESULT } from './results.ts';
import type { MethodDescriptor } from './service.ts';

/** Action-Request (IEC 62056-5-3, 8.4). */
export type ActionRequest =
  | {
      readonly kind: 'action-request-normal';
      readonly invokeIdAndPriority: number;
      readonly method: MethodDescriptor;
      readonly parameters?: Data;
    }
  | {
      readonly kind: 'action-request-next-pblock';
      readonly invokeIdAndPriority: number;
      readonly blockNumber: number;
    }
  | {
      readonly kind: 'action-request-with-list';
      readonly invokeIdAndPriority: number;
      readonly methods: readonly MethodDescriptor[];
      /** One each; null-data where a method takes none. */
      readonly parameters: readonly Data[];
    }
  | {
      readonly kind: 'action-request-with-first-pblock';
      readonly invokeIdAndPriority: number;
      readonly method: MethodDescriptor;
      readonly pblock: DataBlock;
    }
  | {
      readonly kind: 'action-request-with-list-and-first-pblock';
      readonly invokeIdAndPriority: number;
      readonly methods: readonly MethodDescriptor[];
      readonly pblock: DataBlock;
    }
  | {
      readonly kind: 'action-request-with-pblock';
      readonly invokeIdAndPriority: number;
      readonly pblock: DataBlock;
    };

/** Action-Response-With-Optional-Data. */
export interface ActionResult {
  /** Action-Result. */
  readonly result: number;
  readonly returnParameters?: GetDataResult;
}

/** Action-Response. */
export type ActionResponse =
  | {
      readonly kind: 'action-response-normal';
      readonly invokeIdAndPriority: number;
      readonly single: ActionResult;
    }
  | {
      readonly kind: 'action-response-with-pblock';
      readonly invokeIdAndPriority: number;
      readonly pblock: DataBlock;
    }
  | {
      readonly kind: 'action-response-with-list';
      readonly invokeIdAndPriority: number;
      readonly list: readonly ActionResult[];
    }
  | {
      readonly kind: 'action-response-next-pblock';
      readonly invokeIdAndPriority: number;
      readonly blockNumber: number;
    };

export const ACTION_REQUEST = apdu<ActionRequest>(
  APDU_TAG.actionRequest,
  choice<ActionRequest>({
    'action-request-normal': [
      1,
      sequence<Member<ActionRequest, 'action-request-normal'>>({
        invokeIdAndPriority: U8,
        method: METHOD,
        parameters: optional(DATA),
      }),
    ],
    'action-request-next-pblock': [
      2,
      sequence<Member<ActionRequest, 'action-request-next-pblock'>>({
        invokeIdAndPriority: U8,
        blockNumber: U32,
      }),
    ],
    'action-request-with-list': [
      3,
      sequence<Member<ActionRequest, 'action-request-with-list'>>({
        invokeIdAndPriority: U8,
        methods: sequenceOf(METHOD),
        parameters: DATA_LIST,
      }),
    ],
    'action-request-with-first-pblock': [
      4,
      sequence<Member<ActionRequest, 'action-request-with-first-pblock'>>({
        invokeIdAndPriority: U8,
        method: METHOD,
        pblock: DATA_BLOCK,
      }),
    ],
    'action-request-with-list-and-first-pblock': [
      5,
      sequence<Member<ActionRequest, 'action-request-with-list-and-first-pblock'>>({
        invokeIdAndPriority: U8,
        methods: sequenceOf(METHOD),
        pblock: DATA_BLOCK,
      }),
    ],
    'action-request-with-pblock': [
      6,
      sequence<Member<ActionRequest, 'action-request-with-pblock'>>({
        invokeIdAndPriority: U8,
        pblock: DATA_BLOCK,
      }),
    ],
  }),
);

export const ACTION_RESULT: Layout<ActionResult> = sequence<ActionResult>({
  result: U8,
  returnParameters: optional(GET_DATA_RESULT),
});

export const ACTION_RESPONSE = apdu<ActionResponse>(
  APDU_TAG.actionResponse,
  choice<ActionResponse>({
    'action-response-normal': [
      1,
      sequence<Member<ActionResponse, 'action-response-normal'>>({
        invokeIdAndPriority: U8,
        single: ACTION_RESULT,
      }),
    ],
    'action-response-with-pblock': [
      2,
      sequence<Member<ActionResponse, 'action-response-with-pblock'>>({
        invokeIdAndPriority: U8,
        pblock: DATA_BLOCK,
      }),
    ],
    'action-response-with-list': [
      3,
      sequence<Member<ActionResponse, 'action-response-with-list'>>({
        invokeIdAndPriority: U8,
        list: sequenceOf(ACTION_RESULT),
      }),
    ],
    'action-response-next-pblock': [
      4,
      sequence<Member<ActionResponse, 'action-response-next-pblock'>>({
        invokeIdAndPriority: U8,
        blockNumber: U32,
      }),
    ],
  }),
);
