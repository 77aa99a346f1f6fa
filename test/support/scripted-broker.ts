import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** A message as it arrived. */
export interface Arrival {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain: boolean;
  /** The topic as it stands in the packet: nothing where an alias stands for it. */
  readonly topicSent: string;
}

/**
 * PUBACK with this reason code; none; the end of the connection, with DISCONNECT or without; or any
 * bytes, by the identifier of the packet, and then the end if that is said.
 */
export type Answer =
  | number
  | 'silence'
  | 'hang-up'
  | { readonly disconnect: number }
  | { readonly packets: (identifier: number) => Uint8Array; readonly end?: true };

export interface Script {
  /** CONNACK of the n-th connection (0 …), by its CONNECT: the level that it names, its body. */
  readonly welcome?: (level: number, connection: number, body: Uint8Array) => Uint8Array;
  /** Called for each PUBLISH in order of arrival. */
  readonly answer: (arrival: Arrival) => Answer;
  /** Reason code of the SUBACK, 1 (granted at QoS 1) unless given; `send` publishes at QoS 0. */
  readonly subscribed?: (
    topic: string,
    send: (topic: string, payload: Uint8Array) => void,
  ) => number;
  /** Called with each connection. */
  readonly serving?: (socket: Socket) => void;
  /** Called for each packet of a type that the broker does not answer. */
  readonly heard?: (type: number, body: Uint8Array) => void;
}

export interface ScriptedBroker {
  readonly port: number;
  stop(): Promise<void>;
}

/** CONNACK accepted, MQTT 5 with these property bytes. */
export function welcome5(...properties: readonly number[]): Uint8Array {
  return Uint8Array.of(0x20, 3 + properties.length, 0, 0, properties.length, ...properties);
}

/**
 * A broker that says what a test wants it to say, written from the standard's tables (MQTT 5.0,
 * chapter 3) and sharing nothing with the client's library. Plain TCP on loopback.
 */
export async function startScriptedBroker(
  script: Script,
  port = 0,
  host = '127.0.0.1',
): Promise<ScriptedBroker> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    script.serving?.(socket);
    serve(socket, script, connections);
    connections += 1;
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function serve(socket: Socket, script: Script, connection: number): void {
  let buffer = Buffer.alloc(0);
  let level = 5;
  const aliases = new Map<number, string>();
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    buffer = Buffer.concat([buffer, chunk]);
    if (buffer[0] === 0x16) {
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'); // a TLS hello: what a captive portal says
      return;
    }
    for (let packet = split(buffer); packet !== undefined; packet = split(buffer)) {
      if (!socket.writable) return; // it has hung up
      buffer = buffer.subarray(packet.end);
      const { type, flags, body } = packet;
      if (type === 1) {
        level = body[2 + body.readUInt16BE(0)] ?? 0;
        socket.write(script.welcome?.(level, connection, body) ?? welcome5());
      } else if (type === 3) answer(socket, script, { level, flags, aliases }, body);
      else if (type === 8) grant(socket, script, level, body);
      else if (type === 12) socket.write(Uint8Array.of(0xd0, 0));
      else if (type === 14) socket.end();
      else script.heard?.(type, body);
    }
  });
}

interface Publish {
  readonly level: number;
  readonly flags: number;
  /** Topics by their alias, of this connection (MQTT 5, 3.3.2.3.4). */
  readonly aliases: Map<number, string>;
}

const TOPIC_ALIAS = 0x23; // the only property that a gateway sends with a message

function answer(socket: Socket, script: Script, publish: Publish, body: Buffer): void {
  const { level, flags, aliases } = publish;
  const topicEnd = 2 + body.readUInt16BE(0);
  const [high = 0, low = 0] = [body[topicEnd], body[topicEnd + 1]];
  const propertiesAt = topicEnd + 3;
  const payloadStart = level === 5 ? propertiesAt + (body[topicEnd + 2] ?? 0) : topicEnd + 2;
  const topicSent = body.subarray(2, topicEnd).toString();
  let topic = topicSent;
  if (level === 5 && payloadStart > propertiesAt && body[propertiesAt] === TOPIC_ALIAS) {
    const alias = body.readUInt16BE(propertiesAt + 1);
    if (topic === '') topic = aliases.get(alias) ?? '';
    else aliases.set(alias, topic);
  }
  const payload = Uint8Array.from(body.subarray(payloadStart));
  const reply = script.answer({ topic, topicSent, payload, retain: (flags & 1) === 1 });
  utter(socket, reply, level, (high << 8) | low);
}

function utter(socket: Socket, reply: Answer, level: number, identifier: number): void {
  if (reply === 'hang-up') socket.destroy();
  else if (typeof reply === 'object' && 'packets' in reply) {
    const bytes = reply.packets(identifier);
    if (reply.end === true) socket.end(bytes);
    else socket.write(bytes);
  } else if (typeof reply === 'object') socket.end(Uint8Array.of(0xe0, 2, reply.disconnect, 0));
  else if (reply !== 'silence') {
    const [high, low] = [identifier >> 8, identifier & 0xff];
    const bytes = level === 5 ? [0x40, 3, high, low, reply] : [0x40, 2, high, low];
    socket.write(Uint8Array.from(bytes));
  }
}

function grant(socket: Socket, script: Script, level: number, body: Buffer): void {
  const topicAt = level === 5 ? 3 + (body[2] ?? 0) : 2;
  const topic = body.subarray(topicAt + 2, topicAt + 2 + body.readUInt16BE(topicAt)).toString();
  const send = (name: string, payload: Uint8Array): void => {
    const rest = Buffer.concat([
      Uint8Array.of(name.length >> 8, name.length & 0xff),
      Buffer.from(name),
      Uint8Array.from(level === 5 ? [0] : []),
      payload,
    ]);
    const length = [0, 7, 14].map((bits) => ((rest.length >> bits) & 0x7f) | 0x80);
    socket.write(Uint8Array.of(0x30, ...length.with(2, rest.length >> 14)));
    socket.write(rest);
  };
  const reason = script.subscribed?.(topic, send) ?? 1;
  const [high = 0, low = 0] = body;
  const bytes = level === 5 ? [0x90, 4, high, low, 0, reason] : [0x90, 3, high, low, reason];
  socket.write(Uint8Array.from(bytes));
}

interface Packet {
  readonly type: number;
  readonly flags: number;
  readonly body: Buffer;
  readonly end: number;
}

function split(buffer: Buffer): Packet | undefined {
  let length = 0;
  for (let place = 1; place < 5; place += 1) {
    const byte = buffer[place];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << (7 * (place - 1));
    if ((byte & 0x80) !== 0) continue;
    const [start, end] = [place + 1, place + 1 + length];
    if (buffer.length < end) return undefined;
    const head = buffer[0] ?? 0;
    return { type: head >> 4, flags: head & 15, body: buffer.subarray(start, end), end };
  }
  throw new Error('remaining length of more than four bytes');
}
