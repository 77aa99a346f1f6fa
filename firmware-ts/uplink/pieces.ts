import { endOfItem } from '#contract/cbor-item.ts';
import type { DueEntry } from '#store/store.ts';

/** An entry or a part of one that fits into a packet; all parts have the entry's id. */
export interface Piece extends DueEntry {
  /** Another part of the same entry follows: this one alone deletes nothing. */
  readonly partial?: true;
  /** Travels with no other. */
  readonly alone?: true;
}

const MAP = 0xa0;
/** Lead byte of the label of a base time, with which an observation begins (RFC 8428, 6). */
const BASE_TIME = 0x22;

/**
 * An entry whose records are longer than `bytesMax`, divided between its observations; one whose
 * single observation is longer stays whole. What is no SenML is not divided.
 */
export function piecesOf(entry: DueEntry, bytesMax: number): readonly Piece[] {
  if (entry.records.length <= bytesMax || entry.count === 1) return [entry];
  return dividedBy(entry, (bytes) => bytes <= bytesMax);
}

/** Each observation for itself, to find the one that a broker refuses. */
export function atomsOf(entry: DueEntry): readonly Piece[] {
  return dividedBy(entry, () => false).map((piece) => ({ ...piece, alone: true }));
}

interface Observation {
  readonly start: number;
  end: number;
  recordCount: number;
}

/** `fits` tells whether a part of so many bytes may grow to that. */
function dividedBy(entry: DueEntry, fits: (bytes: number) => boolean): readonly Piece[] {
  const observations = observationsIn(entry.records);
  if (observations.length !== entry.count) return [entry];
  const groups: Observation[][] = [];
  for (const observation of observations) {
    const last = groups.at(-1);
    const start = last?.[0]?.start ?? 0;
    if (last !== undefined && fits(observation.end - start)) last.push(observation);
    else groups.push([observation]);
  }
  let sequence = entry.sequence;
  return groups.map((group, index): Piece => {
    const piece = partOf(entry, group, sequence);
    sequence += group.length;
    // Readings and age count once, with the part that completes the entry.
    return index === groups.length - 1 ? piece : { ...piece, readings: 0, partial: true };
  });
}

function partOf(entry: DueEntry, group: readonly Observation[], sequence: number): DueEntry {
  const [start, end] = [group[0]?.start ?? 0, group.at(-1)?.end ?? 0];
  const recordCount = group.reduce((sum, observation) => sum + observation.recordCount, 0);
  const records = entry.records.subarray(start, end);
  return { ...entry, sequence, count: group.length, records, recordCount };
}

function observationsIn(records: Uint8Array): readonly Observation[] {
  const observations: Observation[] = [];
  try {
    for (let at = 0; at < records.length;) {
      const end = endOfItem(records, at);
      if (beginsObservation(records, at)) observations.push({ start: at, end, recordCount: 0 });
      const current = observations.at(-1);
      if (current === undefined) return [];
      current.end = end;
      current.recordCount += 1;
      at = end;
    }
  } catch {
    return []; // no SenML: it is sent as it is
  }
  return observations;
}

/** Whether one of the record's labels is that of the base time. */
function beginsObservation(records: Uint8Array, record: number): boolean {
  let at = record + 1;
  for (let pairs = (records[record] ?? MAP) - MAP; pairs > 0; pairs -= 1) {
    if (records[at] === BASE_TIME) return true;
    at = endOfItem(records, endOfItem(records, at));
  }
  return false;
}
