import type { GapReason } from './manifest.ts';

/** What each event on `nd/1/{gateway}/ev` tells beside its name and time. */
export interface EventFields {
  /** Nothing more can be stored; the lowest class drops first. */
  readonly 'disk-full': { readonly freeBytes: number };
  readonly 'disk-recovered': { readonly freeBytes: number };
  /** Observations `from … through` will never come. */
  readonly gap: Numbers & { readonly reason: GapReason };
  /** The broker refuses these for what they are; `code` says why. */
  readonly quarantined: Numbers & { readonly code: string };
  /** A damaged file; `salvaged` counts the observations that were saved from it. */
  readonly 'store-set-aside': { readonly file: string; readonly salvaged: number };
  /** The wall clock became trusted; what was stamped before has been corrected by `stepMs`. */
  readonly 'clock-corrected': { readonly stepMs: number };
  readonly 'broker-changed': { readonly from?: string; readonly to: string; readonly code: string };
}

interface Numbers {
  readonly stream: string;
  readonly epoch: number;
  readonly from: number;
  readonly through: number;
}

export type EventName = keyof EventFields;
export type Severity = 'info' | 'warning' | 'alarm';

/** What a person should do about it: nothing, look at it, act. */
export const EVENT_SEVERITIES: Readonly<Record<EventName, Severity>> = {
  'disk-full': 'alarm',
  'disk-recovered': 'info',
  gap: 'warning',
  quarantined: 'warning',
  'store-set-aside': 'alarm',
  'clock-corrected': 'info',
  'broker-changed': 'warning',
};

/** The event as JSON; `at` in RFC 3339, of the gateway's clock. */
export function encodeEvent<Name extends EventName>(
  at: string,
  event: Name,
  fields: EventFields[Name],
): string {
  return JSON.stringify({ version: 1, at, event, severity: EVENT_SEVERITIES[event], ...fields });
}
