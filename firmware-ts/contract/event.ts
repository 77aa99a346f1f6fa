import type { GapReason } from './manifest.ts';

/** What each event on `nd/1/{gateway}/ev` tells beside its name and time. */
export interface EventFields {
  /** Nothing more can be stored; the lowest class drops first. */
  readonly 'disk-full': { readonly freeBytes: number };
  /** Nothing can be written: `disk-error`, or `disk-read-only`. */
  readonly 'disk-failed': { readonly code: string };
  readonly 'disk-recovered': { readonly freeBytes: number };
  /** Observations `from … through` will never come. */
  readonly gap: Numbers & { readonly reason: GapReason };
  /** The broker refuses these for what they are; `code` says why. */
  readonly quarantined: Numbers & { readonly code: string };
  /** A damaged file, by its name; so many entries of the outbox were saved from it. */
  readonly 'store-set-aside': { readonly file: string; readonly salvagedEntries: number };
  /**
   * The wall clock is believed now, and what was stamped by the boot before becomes dates; or one
   * that was believed has stepped by `stepMs`, and what it stamped before stays.
   */
  readonly 'clock-corrected': { readonly stepMs?: number };
  /** `code` is why the broker before was left: how its session failed, or `better-broker`. */
  readonly 'broker-changed': { readonly from: string; readonly to: string; readonly code: string };
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
  'disk-failed': 'alarm',
  'disk-recovered': 'info',
  gap: 'warning',
  quarantined: 'warning',
  'store-set-aside': 'alarm',
  'clock-corrected': 'info',
  'broker-changed': 'warning',
};

/**
 * The event as JSON; `at` in RFC 3339, of the gateway's clock, and absent if that is not believed.
 * An event may come twice, in the same bytes.
 */
export function encodeEvent<Name extends EventName>(
  at: string | undefined,
  event: Name,
  fields: EventFields[Name],
): string {
  const dated = at === undefined ? {} : { at };
  return JSON.stringify({
    version: 1,
    ...dated,
    event,
    severity: EVENT_SEVERITIES[event],
    ...fields,
  });
}
