import { OperatingError } from '#bytes/failure.ts';
import { DELIVERY_CLASSES } from '#policy/delivery-class.ts';
import type { Append } from './store.ts';

/** One telegram, profile page or frame is far smaller; a larger one would hold up all others. */
const APPEND_BYTES_MAX = 1 << 20;

/** Names come from the configuration; the bound keeps keys and topics small. */
const NAME = /^[^\p{Cc}\p{Cs}]{1,200}$/u; // two halves of surrogates would be one name in UTF-8
const STREAM = /^[A-Za-z0-9_-]{1,200}$/;

/** Errors: `bad-append` with the field; so that nothing but the disk can fail a transaction. */
export function assertAppend(append: Append): void {
  const { source, observation, outputs, boot } = append;
  assertField(NAME.test(source), 'source');
  assertCount(append.readings, 'readings');
  assertField(Number.isSafeInteger(append.takenMs), 'takenMs');
  assertField(boot === undefined || NAME.test(boot), 'boot');
  let bytes = observation.length;
  for (const output of outputs) {
    assertField(NAME.test(output.backend), 'backend');
    assertField(STREAM.test(output.stream), 'stream');
    assertField(DELIVERY_CLASSES.includes(output.class), 'class');
    assertCount(output.readings, 'readings');
    assertCount(output.recordCount, 'recordCount');
    bytes += output.records.length;
  }
  assertField(bytes <= APPEND_BYTES_MAX, 'observation');
}

function assertCount(count: number, field: string): void {
  assertField(Number.isSafeInteger(count) && count >= 0, field);
}

function assertField(good: boolean, field: string): void {
  if (!good) throw new OperatingError('bad-append', `${field} is not acceptable`, { field });
}
