import { latin1FromBytes } from '#bytes/text.ts';
import type { Readout } from './readout.ts';
import { identificationOf } from './readout.ts';

export interface Identification extends Pick<
  Readout,
  'manufacturer' | 'baudCharacter' | 'identification'
> {
  /** It offers the binary mode (`\2`; IEC 62056-21, 6.3.2, item 24). */
  readonly hdlc: boolean;
}

/** `/XXXZ`, 16 characters with `\W` before them, CR LF; some meters have more to tell. */
const LINE_CHARACTERS_MAX = 128;
const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;
const LINE_FEED = 0x0a;

/** Finds the line in which a meter identifies itself, among noise and our own request. */
export class IdentificationLine {
  #line: number[] = [];
  #noisy = false;

  /** Something came that was no identification. */
  get noisy(): boolean {
    return this.#noisy;
  }

  clear(): void {
    this.#line = [];
  }

  /** The line with its end, once it is whole. */
  push(character: number): Uint8Array | undefined {
    if (character === SLASH) this.#line = [];
    this.#line.push(character);
    if (this.#line[0] !== SLASH || this.#line.length > LINE_CHARACTERS_MAX) {
      this.#line = [];
      this.#noisy = true;
    }
    if (character !== LINE_FEED || this.#line.length === 0) return undefined;
    const line = Uint8Array.from(this.#line);
    this.#line = [];
    // Our own request, from a head that echoes.
    return line[1] === QUESTION_MARK ? undefined : line;
  }

  /** What `push` gave was no identification. */
  reject(): void {
    this.#noisy = true;
  }
}

/** Errors: `bad-identification`. */
export function decodeIdentification(line: Uint8Array): Identification {
  const head = identificationOf(latin1FromBytes(line).trimEnd());
  return { ...head, hdlc: head.identification.includes('\\2') };
}
