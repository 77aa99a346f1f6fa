import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** A message as it arrived. */
export interface Arrival {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain: boolean;
}

/** PUBACK with this reason code; none; or the end of the connection, with DISCONNECT or without. */
export type Answer = number | 'silence' | 'hang-up' | { readonly disconnect: number };

export interface Script {
  /** CONNACK of the n-th connection (0 …), by its CONNECT: the level that it names, its body. */
  readonly welcome?: (level: number, connection: number, body: Uint8Array) => Uint8Array;
  /** Called for each PUBLISH in order of arrival. */
  readonly answer: (arrival: Arrival) => Answer;
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
export async function startScriptedBroker(script: Script): Promise<ScriptedBroker> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(socket, script, connections);
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
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
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    buffer = Buffer.concat([buffer, chunk]);
    if (buffer[0] === 0x16) {
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'); // a TLS hello: what a captive portal says
      return;
    }
    for (let packet = split(buffer); packet !== undefined; packet = split(buffer)) {
      buffer = buffer.subarray(packet.end);
      const { type, flags, body } = packet;
      if (type === 1) {
        level = body[2 + body.readUInt16BE(0)] ?? 0;
        socket.write(script.welcome?.(level, connection, body) ?? welcome5());
      } else if (type === 3) answer(socket, script, level, flags, body);
      else if (type === 12) socket.write(Uint8Array.of(0xd0, 0));
      else if (type === 14) socket.end();
      else script.heard?.(type, body);
    }
  });
}

function answer(socket: Socket, script: Script, level: number, flags: number, body: Buffer): void {
  const topicEnd = 2 + body.readUInt16BE(0);
  const [high = 0, low = 0] = [body[topicEnd], body[topicEnd + 1]];
  const payloadStart = topicEnd + 2 + (level === 5 ? 1 + (body[topicEnd + 2] ?? 0) : 0);
  const topic = body.subarray(2, topicEnd).toString();
  const payload = Uint8Array.from(body.subarray(payloadStart));
  const reply = script.answer({ topic, payload, retain: (flags & 1) === 1 });
  if (reply === 'hang-up') socket.destroy();
  else if (typeof reply === 'object') socket.end(Uint8Array.of(0xe0, 2, reply.disconnect, 0));
  else if (reply !== 'silence') {
    const bytes = level === 5 ? [0x40, 3, high, low, reply] : [0x40, 2, high, low];
    socket.write(Uint8Array.from(bytes));
  }
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
