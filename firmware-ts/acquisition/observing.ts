import { failureOf } from '#bytes/failure.ts';
import type { Connection, ConnectionEvent, Step } from '#protocol/connection.ts';
import type { Observation } from '#reading/reading.ts';

/** Observations that one message of a device brought. */
export type Observations = readonly Observation[];

/**
 * A protocol's connection whose messages have become observations. A message that cannot be
 * converted is reported as discarded, with the reason; the stream goes on.
 */
export function observing<Message>(
  connection: Connection<Message>,
  toObservations: (message: Message) => Observations,
): Connection<Observations> {
  const convert = ({ send, events }: Step<Message>): Step<Observations> => ({
    send,
    events: events.map((event) => convertEvent(event, toObservations)),
  });
  return {
    get deadline() {
      return connection.deadline;
    },
    start: (at) => convert(connection.start(at)),
    receive: (chunk, at) => convert(connection.receive(chunk, at)),
    expire: (at) => convert(connection.expire(at)),
    stop: (at) => convert(connection.stop(at)),
  };
}

function convertEvent<Message>(
  event: ConnectionEvent<Message>,
  toObservations: (message: Message) => Observations,
): ConnectionEvent<Observations> {
  if (event.kind !== 'message') return event;
  try {
    return { ...event, message: toObservations(event.message) };
  } catch (error) {
    const { offset, length } = event;
    return { kind: 'discarded', offset, length, failure: failureOf(error) };
  }
}
