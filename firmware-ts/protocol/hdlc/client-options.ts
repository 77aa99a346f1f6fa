import type { HdlcAddress } from './address.ts';
import type { HdlcParameters } from './parameters.ts';
import { boundedParameters } from './parameters.ts';

export interface HdlcClientOptions {
  readonly client: HdlcAddress;
  /** Logical device (upper) and physical device (lower). */
  readonly server: HdlcAddress;
  /** What SNRM proposes; without it, or with the defaults, SNRM carries no parameters. */
  readonly proposal?: Partial<HdlcParameters>;
  /** For devices that want octet stuffing. */
  readonly stuffing?: boolean;
  /** Milliseconds until the first sign of an answer; 5000. */
  readonly responseMs?: number;
  /** Longest pause inside a frame, milliseconds; 1000, since modems and converters make such. */
  readonly interOctetMs?: number;
  /** Milliseconds that an octet takes on the line; 0 where unknown (1.04 at 9600 Bd). */
  readonly octetMs?: number;
  /** How often the same thing is asked in all before the meter counts as silent; 3. */
  readonly attempts?: number;
  /** Pause before a meter that has nothing yet, or is busy, is polled again; 200 milliseconds. */
  readonly pollMs?: number;
  /** How long a meter may be busy with one request, milliseconds; 60 000. */
  readonly busyMs?: number;
}

export interface ClientSettings extends Required<Omit<HdlcClientOptions, 'proposal'>> {
  readonly proposal: HdlcParameters;
}

const DEFAULTS = {
  stuffing: false,
  responseMs: 5000,
  interOctetMs: 1000,
  octetMs: 0,
  attempts: 3,
  pollMs: 200,
  busyMs: 60_000,
};

export function settingsOf(options: HdlcClientOptions): ClientSettings {
  return { ...DEFAULTS, ...options, proposal: boundedParameters(options.proposal ?? {}) };
}
