import { MqttClient, type IClientOptions, type IConnackPacket } from 'mqtt';
import type { LookupFunction } from 'node:net';
import { OperatingError, errorOf, type Failure } from '#bytes/failure.ts';
import { openSocket, type Flood } from './broker-socket.ts';
import { connectFailureOf, unansweredAt } from './connect-failure.ts';
import { bytesOf, reasonOf, sessionOf, useless } from './mqtt-welcomed.ts';
import { connectRefusalOf, refusalOf } from './refusal.ts';
import { repeatedProperty } from './repeated-property.ts';
import type { Dial, Dialing, Session } from './session.ts';

/** A dead peer is noticed after one and a half times this, seconds (MQTT 5, 3.1.2.10). */
const KEEP_ALIVE_S = 30;
/** From the first SYN to the broker's welcome; who dials gives up sooner, by the clock's port. */
const CONNECT_TIMEOUT_MS = 60_000;
/** The largest packet taken from a broker, which has only answers for us, most of a few bytes. */
const INCOMING_BYTES_MAX = 64 * 1024;
/** Messages that it may have unacknowledged by us: each is worked off before the next is read. */
const INCOMING_MESSAGES_MAX = 8;
/** A way that flaps for less than this does not flap the presence, too, seconds. */
const WILL_DELAY_S = 10;
/** Outlives the will's delay, since the end of the session ends that (MQTT 5, 3.1.3.2.2). */
const SESSION_EXPIRY_S = 60;
/** Implementation specific error (MQTT 5, 3.5.2.1). */
const NOT_TAKEN = 0x83;

const VERSIONS = { 5: '5', 4: '3.1.1' } as const;
/** How much of MQTT a broker speaks. */
interface Dialect {
  readonly version: keyof typeof VERSIONS;
  /** Whether it keeps retained messages; one that does not refuses a will that asks for it. */
  readonly retain: boolean;
}

/** What to ask a broker for that refused with this code; a dialect only ever becomes less. */
const LESS: Readonly<Record<string, Partial<Dialect>>> = {
  'protocol-version-refused': { version: 4 },
  'retain-not-supported': { retain: false },
};

export interface DialerOptions {
  /** Names become addresses by this, anew for each connection; the machine's way unless given. */
  readonly lookup?: LookupFunction;
  /** Of an idle session, between two questions whether the broker is there; 30 unless given. */
  readonly keepAliveS?: number;
}

/**
 * Dials with MQTT 5; where the broker refuses that version, with 3.1.1, and from then on at once
 * with 3.1.1; likewise for retained messages. Every session has a client of its own, which keeps
 * and repeats nothing.
 */
export function mqttDialer(options: DialerOptions = {}): Dial {
  let known: Dialect = { version: 5, retain: true };
  return async (dialing: Dialing): Promise<Session> => {
    let dialect = known;
    for (;;) {
      try {
        const session = await dialIn(dialect, dialing, options);
        known = dialect;
        return session;
      } catch (error) {
        dialect = lesser(dialect, error);
      }
    }
  };
}

function lesser(dialect: Dialect, error: unknown): Dialect {
  const less = error instanceof OperatingError ? LESS[error.code] : undefined;
  const { version, retain } = { ...dialect, ...less };
  if (version === dialect.version && retain === dialect.retain) throw error;
  return { version, retain };
}

function dialIn(
  dialect: Dialect,
  dialing: Dialing,
  { lookup, keepAliveS = KEEP_ALIVE_S }: DialerOptions,
): Promise<Session> {
  const { signal } = dialing;
  const ending = Promise.withResolvers<Failure>();
  const life = { over: false };
  const flooded = (by: Flood): void => end(floodBy(dialing, by));
  const unasked = (type: number): void =>
    end(violationBy(dialing, `a packet of type ${type}, unasked`));
  const incomingBytesMax = INCOMING_BYTES_MAX;
  const socket = openSocket(dialing, { incomingBytesMax, flooded, unasked, lookup });
  const options = { ...clientOptions(dialing, dialect), keepalive: keepAliveS };
  const client = new MqttClient(() => socket.stream, options);
  const end = (failure: Failure): void => {
    life.over = true;
    ending.resolve(failure);
    client.end(true);
    client.stream.destroy(); // end() does nothing while an earlier, gentle one is under way
  };
  client.on('packetreceive', (packet) => {
    const twice = repeatedProperty(packet);
    if (twice === undefined) return;
    end(violationBy(dialing, `${twice} twice in a packet`));
    if ('properties' in packet) delete packet.properties; // the client goes on with this packet
  });
  client.on('error', (error) => end(failureOfClient(error, dialing)));
  client.on('disconnect', ({ reasonCode }) => end(refusalOf(reasonCode ?? 0x80)));
  client.on('close', () => end({ code: 'connection-closed', message: closedWords(dialing) }));
  const giveUp = (): void => end(unansweredAt(socket.stage(), dialing.target));
  signal.addEventListener('abort', giveUp, { once: true });
  const welcome = new Promise<IConnackPacket>((resolve) => {
    client.once('connect', (connack) => {
      if (life.over) return;
      const failure = useless(connack);
      if (failure === undefined) resolve(connack);
      else end(failure);
    });
  });
  return Promise.race([
    welcome.then((connack) =>
      sessionOf({
        client,
        socket,
        connack,
        protocol: VERSIONS[dialect.version],
        retain: dialect.retain,
        life,
        lost: ending.promise,
        abort: end,
      }),
    ),
    ending.promise.then((failure): never => {
      throw errorOf(failure);
    }),
  ]).finally(() => signal.removeEventListener('abort', giveUp));
}

function clientOptions({ clientId, will }: Dialing, { version, retain }: Dialect): IClientOptions {
  return {
    clientId,
    protocolVersion: version,
    // In 3.1.1 the broker would keep the session of a gateway that is gone for ever.
    clean: version === 4,
    autoAssignTopicAlias: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    // It would make a buffer for each of the 65 536 packet identifiers: fifteen megabytes.
    writeCache: false,
    will: {
      topic: will.topic,
      payload: bytesOf(will),
      qos: 1,
      retain: retain && will.retain === true,
      ...(version === 5 ? { properties: { willDelayInterval: WILL_DELAY_S } } : {}),
    },
    ...(version === 5 ? { properties: SESSION_PROPERTIES } : {}),
    // The client would keep a message of QoS 2 until its release, and 3.1.1 has no limit for that.
    customHandleAcks: (_topic, _message, { qos }, done) => done(qos === 2 ? NOT_TAKEN : 0),
  };
}

const SESSION_PROPERTIES = {
  sessionExpiryInterval: SESSION_EXPIRY_S,
  maximumPacketSize: INCOMING_BYTES_MAX,
  receiveMaximum: INCOMING_MESSAGES_MAX,
} as const;

function violationBy({ target }: Dialing, what: string): Failure {
  return { code: 'protocol-violation', message: `${target.host}: the broker sends ${what}` };
}

const FLOODS: Readonly<Record<Flood, string>> = {
  size: `a packet of more than ${INCOMING_BYTES_MAX} bytes was announced`,
  number: 'the broker sends far more than it is asked for',
  unread: 'the broker sends, and reads nothing of what it is sent',
};

function floodBy({ target }: Dialing, by: Flood): Failure {
  return {
    code: 'broker-flood',
    message: `${target.host}: ${FLOODS[by]}`,
    hint: 'Check that it is the right broker, and what it sends to this gateway.',
  };
}

function failureOfClient(error: Error, { target }: Dialing): Failure {
  const reason = reasonOf(error);
  // The client gives reason codes of its own, too, to what breaks the protocol.
  const refused = /^Connection refused/.test(error.message);
  if (typeof reason === 'number' && refused) return connectRefusalOf(reason);
  if (typeof reason === 'string') return connectFailureOf(error, target);
  const silent = /timeout/i.test(error.message);
  return silent
    ? { code: 'broker-silent', message: `${target.host}: ${error.message}` }
    : { code: 'protocol-violation', message: `${target.host}: ${error.message}` };
}

function closedWords({ target }: Dialing): string {
  return `${target.host}:${target.port}: the broker closed the connection`;
}
