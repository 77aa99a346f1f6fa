import { OperatingError } from '#bytes/failure.ts';

export interface SignOnOptions {
  /** The binary mode (mode E, HDLC), or the data read-out (modes A, B and C). */
  readonly target: 'hdlc' | 'readout';
  /** Device address, where several meters hang on one line; any meter answers without it. */
  readonly address?: string;
  /** The rate at which meters listen; 300 unless this one is known to differ. */
  readonly rate?: number;
  /** Above it the first rate is kept: for heads and converters that cannot go faster. */
  readonly rateMax?: number;
  /** Asks for HDLC even though the identification does not offer it. */
  readonly insist?: boolean;
  /** Milliseconds until the first character of an answer; 2500 (the standard gives it 1500). */
  readonly responseMs?: number;
  /** Longest pause between two characters; 1500. */
  readonly characterMs?: number;
  /** How often each thing is asked in all; 3. */
  readonly attempts?: number;
  /** Between a change of the line and the next character; 100. */
  readonly settleMs?: number;
}

const ADDRESS = /^[0-9A-Za-z ]{0,32}$/;

const DEFAULTS = {
  address: '',
  rate: 300,
  rateMax: Infinity,
  insist: false,
  responseMs: 2500,
  characterMs: 1500,
  attempts: 3,
  settleMs: 100,
};

/** Errors: `out-of-range` for an address that cannot be sent. */
export function settingsOf(options: SignOnOptions): Required<SignOnOptions> {
  const settings = { ...DEFAULTS, ...options };
  if (ADDRESS.test(settings.address)) return settings;
  throw new OperatingError('out-of-range', 'a device address has 32 letters and digits at most');
}
