import { Reader, Writer } from '#bytes/cursor.ts';
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

/** Where the length would stand: what follows has the id that stands for the time. */
const ID_FOLLOWS = 0xffff_ffff;

/**
 * Joins runs of one source to one; ids of other sources may lie between them, and whoever is
 * paging must find each observation under its own. Errors: `store-damaged`.
 */
export function joinedRuns(
  runs: readonly { readonly id: number; readonly plain: Uint8Array }[],
): Uint8Array {
  const writer = new Writer();
  for (const { id, plain } of runs) {
    writer.u64(BigInt(id)).u32(0).u32(ID_FOLLOWS);
    writer.bytes(plain);
  }
  return writer.finish();
}

/** The observations of a run whose first has `firstId`. Errors: `store-damaged`. */
export function* readRun(run: Uint8Array, firstId: number): Generator<Kept> {
  const reader = new Reader(run);
  let id = firstId;
  while (reader.remaining > 0) {
    if (reader.remaining < HEAD_BYTES) throw damaged();
    const takenMs = Number(reader.i64());
    const readings = reader.u32();
    const length = reader.u32();
    if (length === ID_FOLLOWS) {
      id = takenMs;
      continue;
    }
    if (reader.remaining < length) throw damaged();
    yield { id, takenMs, readings, observation: reader.take(length) };
    id += 1;
  }
}

/** Where the length would stand: what follows is of the source whose id stands for the time. */
const SOURCE_FOLLOWS = 0xffff_fffe;

/** Begins what is of `source`, in a row of several. */
export function writeSource(writer: Writer, source: number): void {
  writer.u64(BigInt(source)).u32(0).u32(SOURCE_FOLLOWS);
}

/** A run of one source in a row of several. */
export interface Part {
  readonly source: number;
  /** Of its first observation; the others follow. */
  readonly id: number;
  readonly count: number;
  readonly readings: number;
  /** Of its last observation. */
  readonly takenMs: number;
  readonly plain: Uint8Array;
}

/** The parts of a row whose first observation has `firstId`. Errors: `store-damaged`. */
export function readParts(row: Uint8Array, firstId: number): readonly Part[] {
  const reader = new Reader(row);
  const parts: Part[] = [];
  for (let id = firstId; reader.remaining > 0;) {
    if (reader.remaining < HEAD_BYTES) throw damaged();
    const source = Number(reader.u64());
    reader.advance(4);
    if (reader.u32() !== SOURCE_FOLLOWS) throw damaged();
    const part = readPart(reader, source, id);
    parts.push(part);
    id += part.count;
  }
  return parts;
}

/** Up to the next source, or the end. */
function readPart(reader: Reader, source: number, id: number): Part {
  const start = reader.offset;
  let [count, readings, takenMs] = [0, 0, 0];
  while (reader.remaining > 0) {
    if (reader.remaining < HEAD_BYTES) throw damaged();
    const head = reader.offset;
    const taken = Number(reader.i64());
    const more = reader.u32();
    const length = reader.u32();
    if (length === SOURCE_FOLLOWS) {
      reader.offset = head;
      break;
    }
    if (reader.remaining < length) throw damaged();
    reader.advance(length);
    [count, readings, takenMs] = [count + 1, readings + more, taken];
  }
  return {
    source,
    id,
    count,
    readings,
    takenMs,
    plain: reader.bytes.subarray(start, reader.offset),
  };
}

function damaged(): OperatingError {
  return new OperatingError('store-damaged', 'a run of observations is cut short');
}
