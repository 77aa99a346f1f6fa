import type { Failure } from '#bytes/failure.ts';
import type { AttributeDescriptor, Data } from './data.ts';

/** Class, instance and method (IEC 62056-5-3, 8.4: Cosem-Method-Descriptor). */
export interface MethodDescriptor {
  readonly classId: number;
  /** Logical name, 6 bytes. */
  readonly instanceId: Uint8Array;
  readonly methodId: number;
}

/** One column of a profile (IEC 62056-6-2, 4.3.6: capture_object_definition). */
export interface CaptureObject extends AttributeDescriptor {
  /** Element of the attribute, counted from 1; 0 is the whole. */
  readonly dataIndex: number;
}

/** Part of an attribute (IEC 62056-6-2, 4.3.6.3: selectors of profile generic). */
export type SelectiveAccess =
  | {
      /** Selector 1: rows whose restricting object lies between, ends included. */
      readonly kind: 'range';
      readonly restricting: CaptureObject;
      readonly from: Data;
      readonly to: Data;
      /** Columns wanted; empty for all. */
      readonly columns: readonly CaptureObject[];
    }
  | {
      /** Selector 2, all counted from 1; 0 as `to…` is the last there is. */
      readonly kind: 'entry';
      readonly fromEntry: number;
      readonly toEntry: number;
      readonly fromColumn: number;
      readonly toColumn: number;
    }
  | { readonly kind: 'other'; readonly selector: number; readonly parameters: Data };

export interface AttributeReference extends AttributeDescriptor {
  readonly access?: SelectiveAccess;
}

/**
 * What is asked of a server, whatever service carries it: the client chooses among the normal,
 * list and block forms of GET, SET and ACTION, READ and WRITE, or ACCESS by what was negotiated.
 * Each list has one element or more; more than fit go in several requests.
 */
export type ServiceRequest =
  | { readonly kind: 'get'; readonly attributes: readonly AttributeReference[] }
  | {
      /** As `get` of one, but answered piece by piece, so that a long profile needs no room. */
      readonly kind: 'get-pieces';
      readonly attribute: AttributeReference;
    }
  /** The next piece of what `get-pieces` began. */
  | { readonly kind: 'next-piece' }
  | { readonly kind: 'set'; readonly items: readonly SetItem[] }
  | { readonly kind: 'action'; readonly items: readonly ActionItem[] }
  /** Mixed, in this order; in one request where ACCESS was negotiated. */
  | { readonly kind: 'access'; readonly items: readonly AccessItem[] };

export type AccessItem =
  | { readonly kind: 'get'; readonly attribute: AttributeReference }
  | ({ readonly kind: 'set' } & SetItem)
  | ({ readonly kind: 'action' } & ActionItem);

export interface SetItem {
  readonly attribute: AttributeReference;
  readonly data: Data;
}

export interface ActionItem {
  readonly method: MethodDescriptor;
  readonly parameters?: Data;
}

/** One result for each element that was asked, in its order. */
export type ServiceAnswer =
  | { readonly kind: 'results'; readonly results: readonly ServiceResult[] }
  | {
      /** Raw A-XDR of the value, to be joined in order. */
      readonly kind: 'piece';
      readonly bytes: Uint8Array;
      readonly last: boolean;
    };

export type ServiceResult =
  /** Without data: a set, or a method that returns nothing. */
  | { readonly kind: 'done'; readonly data?: Data }
  | {
      readonly kind: 'refused';
      /** `data-access-result` or `action-result` in the standard's words. */
      readonly result: string;
      /** Codes: `access-denied`, `object-missing`, `temporary-failure`, `access-failed`. */
      readonly failure: Failure;
    };
