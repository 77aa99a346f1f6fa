import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { Failure } from '#bytes/failure.ts';
import type { Link } from '#link/link.ts';
import type { LinkPorts } from '#link/mending.ts';
import type { CarrierOwner } from '#link/stream.ts';
import { clientLink } from '#link/stream.ts';

/**
 * The meter's end of a pseudo-terminal, whose other end is at `path` for whoever opens a serial
 * port. socat makes it, so that the real serial driver runs.
 */
export function ptyLink(path: string, ports: LinkPorts): Link {
  return clientLink((owner) => new PtyCarrier(path, owner), ports);
}

class PtyCarrier {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #path: string;
  /** Keeps the line standing while nobody else has it open. */
  #held: number | undefined;
  #said = '';

  constructor(path: string, owner: CarrierOwner) {
    this.#path = path;
    // socat tells on its standard error when the line is there.
    this.#child = spawn('socat', ['-d', '-d', 'STDIO', `PTY,link=${path},rawer`], {
      stdio: 'pipe',
    });
    const { stdin, stdout, stderr } = this.#child;
    stdin.on('error', () => this.#child.kill());
    stderr.on('data', (text: Buffer) => this.#heard(String(text), owner));
    stdout.on('data', (bytes: Uint8Array) => owner.chunk(bytes));
    this.#child.once('error', () => owner.ended(NO_SOCAT));
    this.#child.once('close', () => this.#closed(owner));
  }

  send(bytes: Uint8Array): void {
    this.#child.stdin.write(bytes);
  }

  end(): void {
    this.#child.kill();
  }

  #heard(text: string, owner: CarrierOwner): void {
    if (this.#held !== undefined) return;
    this.#said += text;
    if (!this.#said.includes('starting data transfer loop')) return;
    this.#held = openSync(this.#path, constants.O_RDWR | constants.O_NOCTTY);
    owner.opened(this.#path);
  }

  #closed(owner: CarrierOwner): void {
    if (this.#held !== undefined) closeSync(this.#held);
    if (this.#child.pid !== undefined) owner.ended({ ...ENDED, message: this.#said.trim() });
  }
}

const NO_SOCAT: Failure = {
  code: 'missing-program',
  message: 'socat, which makes pseudo-terminals, is not installed',
  hint: 'apt-get install socat, or use --tcp',
};

const ENDED: Failure = { code: 'port-vanished', message: 'the pseudo-terminal has ended' };
