import type { Writer } from '#bytes/cursor.ts';
import { Reader } from '#bytes/cursor.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Append, Kept } from './store.ts';

/** Before each observation: taken (ms, u64), readings (u32), length (u32). */
const HEAD_BYTES = 16;

/** Adds one observation to a run, which is one row of the local raw store. */
export function writeKept(writer: Writer, { takenMs, readings, observation }: Append): void {
  writer
    .u64(BigInt.asUintN(64, BigInt(takenMs)))
    .u32(readings)
    .u32(observation.length);
  writer.bytes(observation);
}

/** The observations of a run whose first has `firstId`. Errors: `store-damaged`. */
export function* readRun(run: Uint8Array, firstId: number): Generator<Kept> {
  const reader = new Reader(run);
  for (let id = firstId; reader.remaining > 0; id += 1) {
    if (reader.remaining < HEAD_BYTES) throw damaged();
    const takenMs = Number(reader.i64());
    const readings = reader.u32();
    const length = reader.u32();
    if (reader.remaining < length) throw damaged();
    yield { id, takenMs, readings, observation: reader.take(length) };
  }
}

function damaged(): OperatingError {
  return new OperatingError('store-damaged', 'a run of observations is cut short');
}
