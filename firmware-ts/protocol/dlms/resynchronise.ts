import type { Failure } from '#bytes/failure.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Procedure } from './procedure.ts';
import { get } from './procedure.ts';

/** Frame counter of the unicast key, 0-0:43.1.0.255, as most meters have it (IEC 62056-6-1). */
export const FRAME_COUNTER = Uint8Array.of(0, 0, 43, 1, 0, 255);
const DATA_CLASS = 1;
const VALUE = 2;

/**
 * Reads how far a meter has seen the counter of a key; by a public client, as nothing can be
 * ciphered before it is known. The first counter to use is one above it. Errors: those of `get`,
 * `unexpected-answer`.
 */
export function* readInvocationCounter(instanceId: Uint8Array = FRAME_COUNTER): Procedure<number> {
  const data = yield* get({ classId: DATA_CLASS, instanceId, attributeId: VALUE });
  const { value } = data;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new OperatingError('unexpected-answer', `the frame counter is a ${data.type}`);
}

/**
 * Whether to bring the counter into step and try again: once, until something has succeeded. A
 * meter that refuses the counter it wanted has another reason, and would lock us out.
 */
export class Resynchronisation {
  #tried = false;

  isDue({ code }: Failure): boolean {
    if (code !== 'counter-out-of-step' || this.#tried) return false;
    this.#tried = true;
    return true;
  }

  succeeded(): void {
    this.#tried = false;
  }
}
