import { MqttClient, type IClientOptions, type IConnackPacket } from 'mqtt';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { OperatingError, type Failure } from '#bytes/failure.ts';
import { connectFailureOf } from './connect-failure.ts';
import { PacketWatch } from './packet-watch.ts';
import { connectRefusalOf, refusalOf } from './refusal.ts';
import type { Dial, Dialing, Message, Session } from './session.ts';

/** A dead peer is noticed after one and a half times this, seconds (MQTT 5, 3.1.2.10). */
const KEEP_ALIVE_S = 30;
/** From the first SYN to the broker's welcome. */
const CONNECT_TIMEOUT_MS = 30_000;
/** What a broker may have unacknowledged from us where it says nothing (MQTT 5, 3.1.2.11.3). */
const RECEIVE_MAXIMUM_UNSAID = 65_535;
/** The largest packet taken from a broker, which has only answers for us, most of a few bytes. */
const INCOMING_BYTES_MAX = 64 * 1024;
/** Messages that it may have unacknowledged by us; nothing is subscribed to, so none is due. */
const INCOMING_MESSAGES_MAX = 8;
/** Implementation specific error (MQTT 5, 3.5.2.1). */
const NOT_TAKEN = 0x83;

const VERSIONS = { 5: '5', 4: '3.1.1' } as const;
type Version = keyof typeof VERSIONS;

/**
 * Dials with MQTT 5; where the broker refuses that version, with 3.1.1, and from then on at once
 * with 3.1.1. Every session has a client of its own, which keeps and repeats nothing.
 */
export function mqttDialer(): Dial {
  let version: Version = 5;
  return async (dialing) => {
    try {
      return await dialVersion(dialing, version);
    } catch (error) {
      const old = error instanceof OperatingError && error.code === 'protocol-version-refused';
      if (version === 4 || !old) throw error;
    }
    const session = await dialVersion(dialing, 4);
    version = 4;
    return session;
  };
}

function dialVersion(dialing: Dialing, version: Version): Promise<Session> {
  const { target, signal } = dialing;
  const ending = Promise.withResolvers<Failure>();
  const life = { over: false };
  const client = new MqttClient(
    () => {
      const socket = openSocket(dialing);
      watchPackets(socket, () => end(floodBy(dialing)));
      return socket;
    },
    clientOptions(dialing, version),
  );
  const end = (failure: Failure): void => {
    life.over = true;
    ending.resolve(failure);
    client.end(true);
    client.stream.destroy(); // end() does nothing while an earlier, gentle one is under way
  };
  client.on('error', (error) => end(failureOfClient(error, dialing)));
  client.on('disconnect', ({ reasonCode }) => end(refusalOf(reasonCode ?? 0x80)));
  client.on('close', () => end({ code: 'connection-closed', message: closedWords(dialing) }));
  const giveUp = (): void => end({ code: 'stopped', message: `${target.host}: given up` });
  signal.addEventListener('abort', giveUp, { once: true });
  const welcome = new Promise<IConnackPacket>((resolve) => client.once('connect', resolve));
  return Promise.race([
    welcome.then((connack) =>
      sessionOf({ client, version, connack, life, lost: ending.promise, abort: end }),
    ),
    ending.promise.then((failure): never => {
      throw new OperatingError(failure.code, failure.message, failure);
    }),
  ]).finally(() => signal.removeEventListener('abort', giveUp));
}

function clientOptions({ clientId, will }: Dialing, version: Version): IClientOptions {
  return {
    clientId,
    protocolVersion: version,
    clean: true,
    keepalive: KEEP_ALIVE_S,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // It would make a buffer for each of the 65 536 packet identifiers: fifteen megabytes.
    writeCache: false,
    will: { topic: will.topic, payload: bytesOf(will), qos: 1, retain: will.retain === true },
    ...(version === 5 ? { properties: INCOMING_LIMITS } : {}),
    // The client would keep a message of QoS 2 until its release, and 3.1.1 has no limit for that.
    customHandleAcks: (_topic, _message, { qos }, done) => done(qos === 2 ? NOT_TAKEN : 0),
  };
}

const INCOMING_LIMITS = {
  maximumPacketSize: INCOMING_BYTES_MAX,
  receiveMaximum: INCOMING_MESSAGES_MAX,
} as const;

/** Both versions alike: the client gathers any packet whole before it looks at its size. */
function watchPackets(socket: Socket, flooded: () => void): void {
  const watch = new PacketWatch(INCOMING_BYTES_MAX);
  socket.on('data', (bytes: Uint8Array) => {
    if (!watch.push(bytes)) flooded();
  });
}

function floodBy({ target }: Dialing): Failure {
  return {
    code: 'broker-flood',
    message: `${target.host}: a packet of more than ${INCOMING_BYTES_MAX} bytes was announced`,
    hint: 'Check that it is the right broker, and what it sends to this gateway.',
  };
}

/** Small messages at once: with Nagle's delay an acknowledgement takes 40 ms instead of one. */
function openSocket({ target, credentials }: Dialing): Socket {
  const { host, port, secure } = target;
  if (!secure) return connectTcp({ host, port }).setNoDelay(true);
  const socket = connectTls({
    host,
    port,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    // A server name is never an address (RFC 6066, 3).
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(credentials === undefined
      ? {}
      : { key: credentials.key, cert: credentials.certificate, ca: [...credentials.anchors] }),
  });
  return socket.setNoDelay(true);
}

interface Welcomed extends Pick<Session, 'lost' | 'abort'> {
  readonly client: MqttClient;
  readonly version: Version;
  readonly connack: IConnackPacket;
  /** The client must not be asked for anything any more: it would keep it or throw. */
  readonly life: { readonly over: boolean };
}

function sessionOf({ client, version, connack, life, lost, abort }: Welcomed): Session {
  const { receiveMaximum, maximumPacketSize } = connack.properties ?? {};
  return {
    protocol: VERSIONS[version],
    receiveMaximum: receiveMaximum ?? RECEIVE_MAXIMUM_UNSAID,
    packetBytesMax: maximumPacketSize ?? Infinity,
    lost,
    abort,
    publish(message, done) {
      if (life.over) return;
      const retain = message.retain === true;
      client.publish(message.topic, bytesOf(message), { qos: 1, retain }, (error) => {
        if (life.over) return;
        if (!(error instanceof Error)) done();
        else if (typeof reasonOf(error) === 'number') done(refusalOf(Number(reasonOf(error))));
        else abort({ code: 'connection-closed', message: error.message });
      });
    },
    close: () =>
      new Promise((resolve) => {
        if (life.over) resolve();
        else client.end(false, () => resolve());
      }),
  };
}

/** Errors of mqtt.js carry a reason code as a number; those of Node a code as a text. */
function failureOfClient(error: Error, { target }: Dialing): Failure {
  const reason = reasonOf(error);
  if (typeof reason === 'number') return connectRefusalOf(reason);
  if (typeof reason === 'string') return connectFailureOf(error, target);
  const silent = /timeout/i.test(error.message);
  return silent
    ? { code: 'broker-silent', message: `${target.host}: ${error.message}` }
    : { code: 'protocol-violation', message: `${target.host}: ${error.message}` };
}

function reasonOf(error: Error): unknown {
  return 'code' in error ? error.code : undefined;
}

function closedWords({ target }: Dialing): string {
  return `${target.host}:${target.port}: the broker closed the connection`;
}

function bytesOf({ payload }: Message): Buffer {
  if (typeof payload === 'string') return Buffer.from(payload);
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}
