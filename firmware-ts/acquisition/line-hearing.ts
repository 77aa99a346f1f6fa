import type { Failure } from '#bytes/failure.ts';

/** Damage of a frame whose ends were found: rate and parity are right, or nearly. */
const DAMAGED: readonly string[] = ['bad-fcs', 'bad-hcs', 'bad-bcc', 'bad-checksum'];
const ECHO = 'echo';

/** What was heard of a meter over one stream, to say more than that it did not answer. */
export class LineHearing {
  #bytes = 0;
  #echoed = 0;
  #understood = false;
  readonly #discarded = new Map<string, number>();

  heard(bytes: number): void {
    this.#bytes += bytes;
  }

  understood(): void {
    this.#understood = true;
  }

  discarded(code: string, bytes: number): void {
    if (code === ECHO) this.#echoed += bytes;
    else this.#discarded.set(code, (this.#discarded.get(code) ?? 0) + 1);
  }

  /** A better word for `no-answer`, where what was heard tells it. */
  diagnosed(failure: Failure): Failure {
    if (failure.code !== 'no-answer' || this.#understood) return failure;
    const { message } = failure;
    if (this.#bytes === 0) return { ...NO_BYTES, message: `${message}: not one byte came` };
    if (this.#bytes <= this.#echoed) return { ...ONLY_ECHO, message: `${message}: only our echo` };
    const [code, times] = this.#worst();
    if (code === undefined) return failure;
    const what = `${this.#bytes} bytes came, none of use: ${times} times ${code}`;
    const told = DAMAGED.includes(code) ? DAMAGED_FRAMES : GARBLED;
    return { ...told, message: `${message}: ${what}` };
  }

  #worst(): readonly [string | undefined, number] {
    const [worst] = [...this.#discarded].sort((one, other) => other[1] - one[1]);
    return worst ?? [undefined, 0];
  }
}

const NO_BYTES = {
  code: 'no-bytes',
  hint: 'check power, cable and address; another client may hold the meter',
} as const;
const ONLY_ECHO = {
  code: 'only-echo',
  hint: 'the line works as far as the echo: check address, and who switches the direction',
} as const;
const DAMAGED_FRAMES = {
  code: 'damaged-frames',
  hint: 'check cable, termination and parity; two meters may answer at once',
} as const;
const GARBLED = {
  code: 'garbled-line',
  hint: 'suspect baud rate or parity of a serial line, else the framing: hdlc or wrapper',
} as const;
