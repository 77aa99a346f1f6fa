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
  readonly error?: Failure;
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

function decodedReading(reading: Reading): DecodedReading {
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

/** What a message tells beyond its place; an `error` makes the line not ok. */
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
    if (event.kind === 'discarded') yield { ...place, ok: false, error: event.failure };
    else yield { ...place, ...guarded(() => describe(event.message)) };
  }
}

/** Facts, or the typed error that stood in their way. */
export function guarded(describe: () => Facts): Facts & { readonly ok: boolean } {
  try {
    const facts = describe();
    return { ok: facts.error === undefined, ...facts };
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
    return { ok: false, error: failureOf(error) };
  }
}
