import { SerialPort } from 'serialport';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import type { Link } from './link.ts';
import type { Parity } from './parity.ts';
import { withParity, withoutParity } from './parity.ts';
import { BINDING } from './port-binding.ts';
import type { SerialFormat } from './serial-format.ts';
import { parseSerialFormat } from './serial-format.ts';
import type { LinkPorts } from './mending.ts';
import { placed, sendBufferFull } from './socket.ts';
import type { Carrier, CarrierOwner } from './stream.ts';
import { clientLink } from './stream.ts';

export interface SerialOptions {
  readonly kind: 'serial';
  readonly path: string;
  /** Bits per second. */
  readonly baud: number;
  readonly format: SerialFormat;
}

/** 8 s at 9600 baud: no protocol sends so much without waiting for an answer. */
const SEND_BUFFER_BYTES_MAX = 8192;

/** How long a farewell may take to get out; a device that holds flow control never takes it. */
const FAREWELL_MS = 1000;

/** A serial port of this machine, opened for this process alone. */
export function serial(options: SerialOptions, ports: LinkPorts): Link {
  return clientLink((owner) => openPort(options, ports.clock, owner), ports);
}

const PARITIES = { N: 'none', E: 'even', O: 'odd' } as const;

function openPort(
  { path, baud, format }: SerialOptions,
  clock: Clock,
  owner: CarrierOwner,
): PortCarrier {
  const { dataBits, parity, stopBits } = parseSerialFormat(format);
  const options = {
    binding: BINDING,
    path,
    baudRate: baud,
    dataBits,
    parity: PARITIES[parity],
    stopBits,
    lock: true,
    autoOpen: false,
  } as const;
  return new PortCarrier(new SerialPort(options), { path, baud, format }, clock, owner);
}

class PortCarrier implements Omit<Carrier, 'peer'> {
  readonly #port: SerialPort;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #owner: CarrierOwner;
  /** What the port was opened with; its bits do not change any more. */
  readonly #format: SerialFormat;
  #baud: number;
  /** Made by us where the port makes none. */
  #parity: Parity | undefined;
  /** When the last byte given to the port is out, by its length: adapters drain too early. */
  #quietAt = 0;
  /** Sends that wait for a change of the line. */
  #waiting: Uint8Array[] | undefined;
  #state: 'opening' | 'open' | 'ending' | 'ended' = 'opening';
  #failure: Failure;

  constructor(
    port: SerialPort,
    { path, baud, format }: Omit<SerialOptions, 'kind'>,
    clock: Clock,
    owner: CarrierOwner,
  ) {
    this.#format = format;
    this.#baud = baud;
    this.#clock = clock;
    this.#port = port;
    this.#path = path;
    this.#owner = owner;
    this.#failure = {
      code: 'port-vanished',
      message: `${path} has vanished`,
      hint: 'check the adapter and its cable; it is opened again when it is back',
    };
    port.on('data', (bytes: Uint8Array) => {
      owner.chunk(this.#parity === undefined ? bytes : withoutParity(bytes));
    });
    port.on('error', (error) => this.#fail(serialFailure(error, path)));
    port.once('close', () => this.#ended());
    port.open((error) => this.#opened(error));
  }

  send(bytes: Uint8Array): void {
    const waiting = this.#waiting?.reduce((sum, one) => sum + one.length, 0) ?? 0;
    const queued = this.#port.writableLength + waiting;
    if (queued + bytes.length > SEND_BUFFER_BYTES_MAX) {
      this.#fail(serialFailure(sendBufferFull(queued), this.#path));
    } else if (this.#waiting === undefined) this.#write(bytes);
    else this.#waiting.push(bytes.slice());
  }

  #write(bytes: Uint8Array): void {
    const beginsAt = Math.max(this.#quietAt, this.#clock.monotonic());
    this.#quietAt = beginsAt + (bytes.length * BITS_PER_BYTE * 1000) / this.#baud;
    this.#port.write(this.#parity === undefined ? bytes : withParity(bytes, this.#parity));
  }

  /**
   * The rate is the port's. Parity is put on and taken off here, for a port of 8N1: 7E1 has the
   * same ten bits, and a port that is opened anew drops the lines that feed an optical head.
   */
  async setLine(rate: number, format: SerialFormat): Promise<void> {
    const parity = parityFor(this.#format, format);
    this.#waiting ??= [];
    await this.#drained();
    if (this.#state === 'open') {
      await this.#updated(rate);
      this.#baud = rate;
      this.#parity = parity;
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const bytes of waiting) this.send(bytes);
  }

  async #drained(): Promise<void> {
    const { promise: drained, resolve } = Promise.withResolvers<undefined>();
    this.#port.drain(() => resolve(undefined));
    await drained;
    const left = this.#quietAt - this.#clock.monotonic();
    if (left <= 0) return;
    const { promise: quiet, resolve: wake } = Promise.withResolvers<undefined>();
    this.#clock.after(left, () => wake(undefined));
    await quiet;
  }

  async #updated(baudRate: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<Error | null>();
    this.#port.update({ baudRate }, resolve);
    const error = await promise;
    if (error !== null) this.#fail(serialFailure(error, this.#path));
  }

  /** What was sent goes out first: a farewell is the last thing that a protocol says. */
  end(): void {
    const opening = this.#state === 'opening';
    if (this.#state !== 'open' && !opening) return;
    this.#state = 'ending';
    if (opening) return; // `#opened` follows and closes
    const cancel = this.#clock.after(FAREWELL_MS, () => this.#close());
    this.#port.drain(() => {
      cancel();
      this.#close();
    });
  }

  #opened(error: Error | null): void {
    if (error !== null) {
      this.#failure = serialFailure(error, this.#path);
      this.#ended();
    } else if (this.#state === 'ending') {
      this.#close();
    } else {
      this.#state = 'open';
      this.#owner.opened(this.#path);
    }
  }

  #fail(failure: Failure): void {
    if (this.#state !== 'open') return;
    this.#failure = failure;
    this.#state = 'ending';
    this.#close();
  }

  #close(): void {
    if (!this.#port.isOpen) return; // then its `close` event has come or is on its way
    this.#port.close((error) => {
      if (error !== null) this.#ended();
    });
  }

  #ended(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#owner.ended(this.#failure);
  }
}

const BITS_PER_BYTE = 10;

/** The parity to make for a port of another format. Errors: `bad-format`. */
function parityFor(port: SerialFormat, wanted: SerialFormat): Parity | undefined {
  if (port === wanted) return undefined;
  if (port === '8N1' && wanted === '7E1') return 'even';
  if (port === '8N1' && wanted === '7O1') return 'odd';
  throw new OperatingError('bad-format', `a port opened as ${port} cannot go on as ${wanted}`, {
    hint: 'configure this port as 8N1; normd makes the parity of 7E1 itself',
  });
}

/** serialport tells its errors in words only; these are the ones of Linux's open(2) and tty. */
const KNOWN: readonly (readonly [words: RegExp, code: string, says: string, hint: string])[] = [
  [
    /no such file|no such device/i,
    'no-such-port',
    'no such port',
    'is the adapter plugged in? see `ls -l /dev/serial/by-id`',
  ],
  [
    /permission denied/i,
    'permission-denied',
    'not allowed to open it',
    'the user needs the group that owns the port, usually dialout',
  ],
  [
    /cannot lock|resource busy|temporarily unavailable/i,
    'port-busy',
    'another program has it open',
    'see `fuser -v` with the path; a serial console may own it',
  ],
  [
    /inappropriate ioctl|is a directory|invalid argument/i,
    'not-a-serial-port',
    'not a serial port, or not one with this speed and format',
    'check the path, the baud rate and the format',
  ],
  [/input\/output error|bad file descriptor/i, 'port-vanished', 'has vanished', 'check its cable'],
];

function serialFailure(error: Error, path: string): Failure {
  if (error instanceof OperatingError) return placed(error, path);
  const known = KNOWN.find(([words]) => words.test(error.message));
  if (known === undefined) return { code: 'link-failed', message: `${path}: ${error.message}` };
  const [, code, says, hint] = known;
  return { code, message: `${path}: ${says}`, hint };
}
