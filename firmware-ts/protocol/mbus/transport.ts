import { OperatingError } from '#bytes/failure.ts';
import { joined } from '../dlms/octets.ts';
import type { MbusFrame } from './frame.ts';

/** An APDU carried by DLMS over wired M-Bus, with the application processes at either end. */
export interface MbusApdu {
  readonly source: number;
  readonly destination: number;
  readonly apdu: Uint8Array;
}

/** CI 00 … 1F: DLMS with short transport header (EN 13757-1, Annex; EN 13757-3, Table 2). */
const FINAL = 0x10;
const SEQUENCE = 0x0f;
const CONTROL_INFORMATION_MAX = 0x1f;
/** STSAP and DTSAP. */
const HEADER_BYTES = 2;
/** Sequence numbers have four bits and do not wrap. */
const SEGMENTS_MAX = 16;

/** Puts an APDU's segments together: CI numbers them from 0 and marks the last. */
export class TransportAssembler {
  #parts: Uint8Array[] = [];

  get pending(): number {
    return this.#parts.length;
  }

  /**
   * The whole APDU once its last segment is in. Errors: `unsupported-ci`, `truncated`,
   * `segment-lost`; what was gathered is then forgotten.
   */
  push(frame: MbusFrame): MbusApdu | undefined {
    const { controlInformation, userData } = frame;
    if (controlInformation > CONTROL_INFORMATION_MAX) {
      throw new OperatingError('unsupported-ci', `CI 0x${controlInformation.toString(16)}`);
    }
    if (userData.length < HEADER_BYTES) {
      throw new OperatingError('truncated', 'no transport header', { field: 'stsap' });
    }
    this.#keep(controlInformation & SEQUENCE, userData.subarray(HEADER_BYTES));
    if ((controlInformation & FINAL) === 0) return undefined;
    const apdu = joined(...this.#parts);
    this.clear();
    return { source: userData[0] ?? 0, destination: userData[1] ?? 0, apdu };
  }

  clear(): void {
    this.#parts = [];
  }

  #keep(sequence: number, part: Uint8Array): void {
    if (sequence === 0) this.clear(); // a new APDU begins, whatever became of the last
    if (sequence !== this.#parts.length || sequence >= SEGMENTS_MAX) {
      const expected = this.#parts.length;
      this.clear();
      throw new OperatingError('segment-lost', `segment ${sequence} instead of ${expected}`);
    }
    this.#parts.push(part);
  }
}
