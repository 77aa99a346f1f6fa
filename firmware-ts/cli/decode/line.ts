import { OperatingError, failureOf, type Failure } from '#bytes/failure.ts';
import type { ConnectionEvent } from '#protocol/connection.ts';
import type { JsonScalar } from '#reading/json.ts';
import { isoTimeOf, jsonScalarOf } from '#reading/json.ts';
import { valueOf } from '#reading/reading.ts';
import type { Observation, Reading, TimeMark } from '#reading/reading.ts';

/** What `normctl decode --json` prints for each message, and for bytes that are none. */
export interface DecodedLine {
  readonly protocol: string;
  /** Of the message's first byte in its stream. */
  readonly offset: number;
  readonly length: number;
  readonly ok: boolean;
  /** Its offset counts in the stream, too: of the field where that is known, or of the message. */
  readonly error?: PlacedFailure;
  /** The device's time in UTC, where it tells one. */
  readonly time?: string;
  readonly quality?: readonly string[];
  readonly readings?: readonly DecodedReading[];
  /** What else the frame tells, by protocol: framing, idCode, identification and so on. */
  readonly [fact: string]: unknown;
}

export interface DecodedReading {
  readonly object: string;
  readonly raw: JsonScalar;
  readonly scaler: number;
  readonly value: JsonScalar;
  readonly unit: string;
  readonly time?: string;
  readonly quality?: readonly string[];
}

/** Stands for an arrival: the bytes of a capture do not tell it. */
export const NO_ARRIVAL: TimeMark = {
  second: 0,
  nanosecond: 0,
  clock: 'gateway',
  trust: 'unknown',
};

/** Time, quality and readings of the observations that one message brought. */
export function observed(
  observations: readonly Observation[],
): Pick<DecodedLine, 'time' | 'quality' | 'readings'> {
  const time = observations[0]?.time ?? NO_ARRIVAL;
  const quality = [...new Set(observations.flatMap((observation) => observation.quality))];
  return {
    ...(time === NO_ARRIVAL ? {} : { time: isoTimeOf(time) }),
    ...(quality.length === 0 ? {} : { quality }),
    readings: observations.flatMap(({ readings }) => readings.map(decodedReading)),
  };
}

export function decodedReading(reading: Reading): DecodedReading {
  const { object, raw, scaler, unit, time, quality = [] } = reading;
  return {
    object,
    raw: jsonScalarOf(raw),
    scaler,
    value: jsonScalarOf(valueOf(reading)),
    unit,
    ...(time === undefined ? {} : { time: isoTimeOf(time) }),
    ...(quality.length === 0 ? {} : { quality }),
  };
}

export type PlacedFailure = Failure & { readonly offset: number };

/** A failure whose offset, if it has any, counts from `base` on. */
export function placed(failure: Failure, base: number): PlacedFailure {
  return { ...failure, offset: base + (failure.offset ?? 0) };
}

/**
 * What a message tells beyond its place; an `error`, whose offset counts from the message's first
 * byte, makes the line not ok.
 */
export type Facts = Readonly<Record<string, unknown>> & { readonly error?: Failure };

/** The lines of a connection's events. */
export function* linesOf<Message>(
  protocol: string,
  events: readonly ConnectionEvent<Message>[],
  describe: (message: Message) => Facts,
): Generator<DecodedLine> {
  for (const event of events) {
    if (event.kind === 'stalled') continue; // the end of a capture, not of a conversation
    const { offset, length } = event;
    const place = { protocol, offset, length };
    if (event.kind === 'message') {
      yield { ...place, ...guarded(offset, () => describe(event.message)) };
    } else yield { ...place, ok: false, error: { offset, ...event.failure } };
  }
}

type Outcome = Readonly<Record<string, unknown>> & Pick<DecodedLine, 'ok' | 'error'>;

/** The facts of the message that begins at `offset`, or the typed error that stood in their way. */
export function guarded(offset: number, describe: () => Facts): Outcome {
  try {
    const { error, ...facts } = describe();
    if (error === undefined) return { ok: true, ...facts };
    return { ok: false, ...facts, error: placed(error, offset) };
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return { ok: false, error: placed(failureOf(error), offset) };
  }
}
