import { read } from 'node:fs';
import { promisify } from 'node:util';
import { SerialPort } from 'serialport';

const readSome = promisify(read);

/** What read(2) says of a port that has nothing just now. */
const NOTHING_YET: readonly string[] = ['EAGAIN', 'EWOULDBLOCK', 'EINTR'];

/** An open port as serialport has it on Unix. */
export interface UnixPort {
  /** `null` once it is closed. */
  readonly fd: number | null;
  readonly poller: {
    once(event: 'readable', told: (error: Error | null) => void): unknown;
  };
}

interface ReadInto {
  readonly bytesRead: number;
  readonly buffer: Buffer;
}

/**
 * The machine's ports, as serialport opens them, but for the way that they are read: serialport
 * takes a read of nothing for "not yet" and asks again at once, for ever (its bindings-cpp, issue
 * 162). A port that is read with VMIN 1 reads nothing only when its device is gone, termios(3) and
 * the tty layer's hang-up: an adapter that was pulled out would never be told, and a core be lost.
 */
export const BINDING = {
  /** `options` have more in them, which goes on to serialport as it is. */
  async open(options: { path: string; baudRate: number }) {
    const port = await SerialPort.binding.open(options);
    if ('poller' in port) {
      port.read = (buffer, offset, length) => readPort(port, buffer, offset, length);
    }
    return port;
  },
};

/** Waits for octets. Rejects when the port is gone, or was closed (`canceled`, for serialport). */
export async function readPort(
  port: UnixPort,
  buffer: Buffer,
  offset: number,
  length: number,
): Promise<ReadInto> {
  for (;;) {
    const bytesRead = await readOrNothing(openOf(port), buffer, offset, length);
    if (bytesRead === 0) throw new Error('the device hung up');
    if (bytesRead !== undefined) return { bytesRead, buffer };
    openOf(port); // it may have been closed meanwhile: its poller is freed, and kills who asks it
    await readable(port);
  }
}

function openOf({ fd }: UnixPort): number {
  if (fd !== null) return fd;
  throw Object.assign(new Error('the port is closed'), { canceled: true });
}

/** `undefined`: there is nothing just now. */
async function readOrNothing(
  fd: number,
  buffer: Buffer,
  offset: number,
  length: number,
): Promise<number | undefined> {
  try {
    return (await readSome(fd, buffer, offset, length, null)).bytesRead;
  } catch (error) {
    if (isNothingYet(error)) return undefined;
    throw error;
  }
}

function isNothingYet(error: unknown): boolean {
  return error instanceof Error && 'code' in error && NOTHING_YET.includes(String(error.code));
}

function readable({ poller }: UnixPort): Promise<void> {
  return new Promise((resolve, reject) => {
    poller.once('readable', (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
