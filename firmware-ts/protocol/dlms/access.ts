import { APDU_TAG } from './apdu-tags.ts';
import type { AttributeDescriptor, Data } from './data.ts';
import type { AccessSelection } from './descriptors.ts';
import { ACCESS_SELECTION, ATTRIBUTE, METHOD } from './descriptors.ts';
import type { Layout, Member } from './layout.ts';
import {
  DATA_LIST,
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
import type { MethodDescriptor } from './service.ts';

/** Access-Request-Specification (IEC 62056-5-3, 8.4): one thing of many in one request. */
export type AccessSpecification =
  | { readonly kind: 'access-request-get'; readonly attribute: AttributeDescriptor }
  | { readonly kind: 'access-request-set'; readonly attribute: AttributeDescriptor }
  | { readonly kind: 'access-request-action'; readonly method: MethodDescriptor }
  | {
      readonly kind: 'access-request-get-with-selection';
      readonly attribute: AttributeDescriptor;
      readonly accessSelection: AccessSelection;
    }
  | {
      readonly kind: 'access-request-set-with-selection';
      readonly attribute: AttributeDescriptor;
      readonly accessSelection: AccessSelection;
    };

export interface AccessRequest {
  readonly longInvokeIdAndPriority: number;
  /** 12 bytes, or none. */
  readonly dateTime: Uint8Array;
  readonly specifications: readonly AccessSpecification[];
  /** One each; null-data where nothing is given. */
  readonly data: readonly Data[];
}

export type AccessResult =
  | { readonly kind: 'access-response-get'; readonly result: number }
  | { readonly kind: 'access-response-set'; readonly result: number }
  | { readonly kind: 'access-response-action'; readonly result: number };

export interface AccessResponse {
  readonly longInvokeIdAndPriority: number;
  readonly dateTime: Uint8Array;
  readonly specifications?: readonly AccessSpecification[];
  readonly data: readonly Data[];
  readonly results: readonly AccessResult[];
}

const SELECTED = sequence<Member<AccessSpecification, 'access-request-get-with-selection'>>({
  attribute: ATTRIBUTE,
  accessSelection: ACCESS_SELECTION,
});

const SPECIFICATION: Layout<AccessSpecification> = choice<AccessSpecification>({
  'access-request-get': [1, only('attribute', ATTRIBUTE)],
  'access-request-set': [2, only('attribute', ATTRIBUTE)],
  'access-request-action': [3, only('method', METHOD)],
  'access-request-get-with-selection': [4, SELECTED],
  'access-request-set-with-selection': [5, SELECTED],
});

const RESULT: Layout<AccessResult> = choice<AccessResult>({
  'access-response-get': [1, only('result', U8)],
  'access-response-set': [2, only('result', U8)],
  'access-response-action': [3, only('result', U8)],
});

export const ACCESS_REQUEST = apdu(
  APDU_TAG.accessRequest,
  sequence<AccessRequest>({
    longInvokeIdAndPriority: U32,
    dateTime: OCTET_STRING,
    specifications: sequenceOf(SPECIFICATION),
    data: DATA_LIST,
  }),
);

export const ACCESS_RESPONSE = apdu(
  APDU_TAG.accessResponse,
  sequence<AccessResponse>({
    longInvokeIdAndPriority: U32,
    dateTime: OCTET_STRING,
    specifications: optional(sequenceOf(SPECIFICATION)),
    data: DATA_LIST,
    results: sequenceOf(RESULT),
  }),
);
