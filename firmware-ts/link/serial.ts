import { SerialPort } from 'serialport';
import type { Failure } from '#bytes/failure.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { Clock } from '#system/clock.ts';
import type { Link } from './link.ts';
import type { LinkPorts } from './mending.ts';
import { placed, sendBufferFull } from './socket.ts';
import type { Carrier, CarrierOwner } from './stream.ts';
import { clientLink } from './stream.ts';

/** Data bits, parity (none, even, odd), stop bits: `8N1`; optical heads speak `7E1`. */
export type SerialFormat = `${7 | 8}${'N' | 'E' | 'O'}${1 | 2}`;

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
  const port = new SerialPort({
    path,
    baudRate: baud,
    dataBits,
    parity: PARITIES[parity],
    stopBits,
    lock: true,
    autoOpen: false,
  });
  return new PortCarrier(port, path, clock, owner);
}

/** The parts of `8N1`. Errors: `bad-format`. */
export function parseSerialFormat(format: string): {
  readonly dataBits: 7 | 8;
  readonly parity: 'N' | 'E' | 'O';
  readonly stopBits: 1 | 2;
} {
  const match = /^([78])([NEO])([12])$/.exec(format);
  if (match === null) {
    throw new OperatingError('bad-format', `no serial format: ${JSON.stringify(format)}`, {
      hint: 'data bits, parity, stop bits, e.g. 8N1 or 7E1',
    });
  }
  return {
    dataBits: match[1] === '7' ? 7 : 8,
    parity: match[2] === 'N' ? 'N' : match[2] === 'E' ? 'E' : 'O',
    stopBits: match[3] === '2' ? 2 : 1,
  };
}

class PortCarrier implements Omit<Carrier, 'peer'> {
  readonly #port: SerialPort;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #owner: CarrierOwner;
  #state: 'opening' | 'open' | 'ending' | 'ended' = 'opening';
  #failure: Failure;

  constructor(port: SerialPort, path: string, clock: Clock, owner: CarrierOwner) {
    this.#clock = clock;
    this.#port = port;
    this.#path = path;
    this.#owner = owner;
    this.#failure = {
      code: 'port-vanished',
      message: `${path} has vanished`,
      hint: 'check the adapter and its cable; it is opened again when it is back',
    };
    port.on('data', (bytes: Uint8Array) => owner.chunk(bytes));
    port.on('error', (error) => this.#fail(serialFailure(error, path)));
    port.once('close', () => this.#ended());
    port.open((error) => this.#opened(error));
  }

  send(bytes: Uint8Array): void {
    const queued = this.#port.writableLength;
    if (queued + bytes.length <= SEND_BUFFER_BYTES_MAX) this.#port.write(bytes);
    else this.#fail(serialFailure(sendBufferFull(queued), this.#path));
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
