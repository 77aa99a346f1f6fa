import { ErrorWithSubackPacket, type IConnackPacket, type MqttClient } from 'mqtt';
import type { Failure } from '#bytes/failure.ts';
import type { BrokerSocket } from './broker-socket.ts';
import { refusalOf } from './refusal.ts';
import type { Message, Session, Subscription } from './session.ts';

/** What a broker may have unacknowledged from us where it says nothing (MQTT 5, 3.1.2.11.3). */
const RECEIVE_MAXIMUM_UNSAID = 65_535;
/** Reason codes from here on are failures (MQTT 5, 2.4); 0x80 is the one of MQTT 3.1.1. */
const FAILED = 0x80;

const QOS_NOT_SUPPORTED = 0x9b;
/** In less there is room for neither the presence nor any reading beside its names. */
const PACKET_BYTES_LEAST = 256;

export interface Welcomed extends Pick<Session, 'lost' | 'abort' | 'protocol'> {
  readonly client: MqttClient;
  readonly socket: BrokerSocket;
  readonly connack: IConnackPacket;
  /** Whether retained messages may be asked for. */
  readonly retain: boolean;
  /** The client must not be asked for anything any more: it would keep it or throw. */
  readonly life: { readonly over: boolean };
}

/**
 * Why nothing can be sent to a broker that so welcomes: with no place in flight it would be waited
 * for in vain, by a limit below any reading the whole outbox would be refused, and one that takes
 * QoS 0 only acknowledges nothing.
 */
export function useless({ properties = {} }: IConnackPacket): Failure | undefined {
  const { receiveMaximum, maximumPacketSize = Infinity, maximumQoS } = properties;
  if (maximumQoS === 0) return refusalOf(QOS_NOT_SUPPORTED);
  if (receiveMaximum === 0 || maximumPacketSize === 0) {
    const message = 'the broker welcomes with a limit of 0 (MQTT 5, 3.2.2.3)';
    return { code: 'protocol-violation', message };
  }
  if (maximumPacketSize >= PACKET_BYTES_LEAST) return undefined;
  const message = `the broker takes packets of at most ${maximumPacketSize} bytes`;
  const hint = `Raise the maximum packet size on the broker: ${PACKET_BYTES_LEAST} is the least.`;
  return { code: 'packet-too-large', message, hint };
}

/** A session on a client that the broker has welcomed. */
export function sessionOf(welcomed: Welcomed): Session {
  const { client, socket, connack, life, lost, abort, protocol } = welcomed;
  const { receiveMaximum, maximumPacketSize, retainAvailable } = connack.properties ?? {};
  const retained = welcomed.retain && retainAvailable !== false;
  return {
    protocol,
    receiveMaximum: receiveMaximum ?? RECEIVE_MAXIMUM_UNSAID,
    packetBytesMax: maximumPacketSize ?? Infinity,
    traffic: socket.traffic,
    lost,
    abort,
    publish(message, done) {
      if (life.over) return;
      const retain = retained && message.retain === true;
      socket.asked();
      client.publish(message.topic, bytesOf(message), { qos: 1, retain }, (error, packet) => {
        if (life.over) return;
        if (!(error instanceof Error)) {
          done();
          return;
        }
        const told = reasonOf(error);
        if (typeof told === 'number') {
          done(refusalOf(socket.pubackReasons.of(packet?.messageId, told)));
        } else abort({ code: 'connection-closed', message: error.message });
      });
    },
    subscribe(subscription, done) {
      if (!life.over) subscribe(client, subscription, life, done);
    },
    close: () =>
      new Promise((resolve) => {
        if (life.over) resolve();
        else client.end(false, () => resolve());
      }),
  };
}

/** Asks the broker for one topic; what comes on others is dropped. */
function subscribe(
  client: MqttClient,
  { topic, received }: Subscription,
  life: { readonly over: boolean },
  done: (refusal?: Failure) => void,
): void {
  client.removeAllListeners('message'); // of an earlier try
  client.on('message', (name, payload) => {
    if (name === topic && !life.over) received(payload);
  });
  client.subscribe(topic, { qos: 1 }, (error, granted) => {
    if (life.over) return;
    const reason = error === null ? granted?.[0]?.qos : refusedReason(error);
    if (reason === undefined || reason >= FAILED) done(refusalOf(reason ?? FAILED));
    else done();
  });
}

/** The client's error of a refused subscription carries the whole SUBACK. */
function refusedReason(error: Error): number | undefined {
  const [reason] = error instanceof ErrorWithSubackPacket ? error.packet.granted : [];
  return typeof reason === 'number' ? reason : undefined;
}

/** Errors of mqtt.js carry a reason code as a number; those of Node a code as a text. */
export function reasonOf(error: Error): unknown {
  return 'code' in error ? error.code : undefined;
}

export function bytesOf({ payload }: Message): Buffer {
  if (typeof payload === 'string') return Buffer.from(payload);
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}
