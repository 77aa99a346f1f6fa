import { Reader, Writer } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import { APDU_TAG } from './apdu-tags.ts';
import { U8, apdu, sequence } from './layout.ts';

const STATE_ERRORS: Readonly<Record<number, string>> = {
  1: 'service-not-allowed',
  2: 'service-unknown',
};

const SERVICE_ERRORS: Readonly<Record<number, string>> = {
  1: 'operation-not-possible',
  2: 'service-not-supported',
  3: 'other-reason',
  4: 'pdu-too-long',
  5: 'deciphering-error',
  6: 'invocation-counter-error',
};

const INVOCATION_COUNTER_ERROR = 6;

/** ExceptionResponse (IEC 62056-5-3, 8.4). */
export interface ExceptionResponse {
  readonly stateError: number;
  readonly serviceError: number;
  /** The counter that the server wants to see at least, with service error 6. */
  readonly invocationCounter?: number;
}

/** Errors: `unexpected-apdu`, `truncated`, `trailing-bytes`. */
export function decodeExceptionResponse(bytes: Uint8Array): ExceptionResponse {
  const head = EXCEPTION.decode(bytes.subarray(0, EXCEPTION_BYTES));
  const reader = new Reader(bytes, EXCEPTION_BYTES);
  const counted = head.serviceError === INVOCATION_COUNTER_ERROR && reader.remaining > 0;
  const counter = counted ? { invocationCounter: reader.u32('invocation-counter') } : {};
  if (reader.remaining === 0) return { ...head, ...counter };
  throw new OperatingError('trailing-bytes', `${reader.remaining} bytes after the APDU`, {
    offset: reader.offset,
  });
}

export function encodeExceptionResponse(exception: ExceptionResponse): Uint8Array {
  const writer = new Writer().bytes(EXCEPTION.encode(exception));
  const { invocationCounter } = exception;
  return (invocationCounter === undefined ? writer : writer.u32(invocationCounter)).finish();
}

/** The standard's words for both errors. */
export function exceptionWords(exception: ExceptionResponse): string {
  const { stateError, serviceError } = exception;
  const state = STATE_ERRORS[stateError] ?? `state error ${stateError}`;
  return `${state}, ${SERVICE_ERRORS[serviceError] ?? `service error ${serviceError}`}`;
}

const EXCEPTION_BYTES = 3;
const EXCEPTION = apdu(
  APDU_TAG.exceptionResponse,
  sequence<Omit<ExceptionResponse, 'invocationCounter'>>({ stateError: U8, serviceError: U8 }),
);

/** ConfirmedServiceError (IEC 62056-5-3, 8.4): the service, the kind of error, the error. */
export interface ConfirmedServiceError {
  readonly service: number;
  readonly group: number;
  readonly value: number;
}

export const CONFIRMED_SERVICE_ERROR = apdu(
  APDU_TAG.confirmedServiceError,
  sequence<ConfirmedServiceError>({ service: U8, group: U8, value: U8 }),
);

const SERVICES: Readonly<Record<number, string>> = {
  1: 'initiate',
  5: 'read',
  6: 'write',
};

/** ServiceError: the group of each number, and what its numbers say. */
const GROUPS: Readonly<Record<number, readonly [string, readonly string[]]>> = {
  0: [
    'application-reference',
    [
      'other',
      'time-elapsed',
      'application-unreachable',
      'application-reference-invalid',
      'application-context-unsupported',
      'provider-communication-error',
      'deciphering-error',
    ],
  ],
  1: [
    'hardware-resource',
    [
      'other',
      'memory-unavailable',
      'processor-resource-unavailable',
      'mass-storage-unavailable',
      'other-resource-unavailable',
    ],
  ],
  2: [
    'vde-state-error',
    ['other', 'no-dlms-context', 'loading-data-set', 'status-nochange', 'status-inoperable'],
  ],
  3: ['service', ['other', 'pdu-size', 'service-unsupported']],
  4: [
    'definition',
    ['other', 'object-undefined', 'object-class-inconsistent', 'object-attribute-inconsistent'],
  ],
  5: [
    'access',
    [
      'other',
      'scope-of-access-violated',
      'object-access-violated',
      'hardware-fault',
      'object-unavailable',
    ],
  ],
  6: [
    'initiate',
    [
      'other',
      'dlms-version-too-low',
      'incompatible-conformance',
      'pdu-size-too-short',
      'refused-by-the-vde-handler',
    ],
  ],
  7: [
    'load-data-set',
    [
      'other',
      'primitive-out-of-sequence',
      'not-loadable',
      'dataset-size-too-large',
      'not-awaited-segment',
      'interpretation-failure',
      'storage-failure',
      'data-set-not-ready',
    ],
  ],
  9: ['task', ['other', 'no-remote-control', 'ti-stopped', 'ti-running', 'ti-unusable']],
};

/** `initiate: dlms-version-too-low (initiate)`: what, and during which service. */
export function serviceErrorWords({ service, group, value }: ConfirmedServiceError): string {
  const [name, values] = GROUPS[group] ?? [`group ${group}`, []];
  const during = SERVICES[service] ?? `service ${service}`;
  return `${name}: ${values[value] ?? `error ${value}`} (${during})`;
}
