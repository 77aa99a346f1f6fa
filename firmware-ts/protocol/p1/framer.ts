import { SYSTEM_TITLE_BYTES } from '../dlms/security.ts';
import { TELEGRAM_BYTES_MAX } from './telegram.ts';

/** What the framer cut out of the stream; offsets count all bytes pushed since `clear`. */
export type P1Frame =
  | {
      readonly kind: 'telegram' | 'ciphered';
      readonly offset: number;
      /** A view that holds until the next push. */
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: 'noise';
      readonly offset: number;
      readonly length: number;
      readonly code: 'noise' | DropCode;
    };

/** A telegram that breaks off, holds a control character, or never ends. */
type DropCode = 'truncated' | 'bad-character' | 'too-long';

/** Header, title, length and security control around a ciphered telegram. */
const CIPHERING_BYTES_MAX = 64;
const FRAME_BYTES_MAX = TELEGRAM_BYTES_MAX + CIPHERING_BYTES_MAX;

/** Noise is counted, not kept, and told about at least this often. */
const NOISE_REPORT_BYTES = 4096;

/** An identification has 22 characters (IEC 62056-21, 6.3.2); some meters add to it. */
const HEAD_BYTES_MAX = 128;

/** How often a region is searched again: hostile bytes shall not be deciphered without end. */
const REJECTIONS_MAX = 8;

/** Larger chunks must be pushed in pieces: the framer holds a frame and a piece, no more. */
export const PIECE_BYTES_MAX = 4096;

const SLASH = 0x2f;
const EXCLAMATION = 0x21;
const LINE_FEED = 0x0a;
const DELETE = 0x7f;
const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;
const GENERAL_GLO_CIPHERING = 0xdb;

/** What begins at a place: something to cut, nothing, or not enough bytes to say. */
type Beginning = 'telegram' | 'ciphered' | 'none' | 'open';

/** Where the candidate ends, and as what; `open` if that cannot be said yet. */
type Ending =
  | { readonly kind: 'whole'; readonly end: number }
  | { readonly kind: 'dropped'; readonly end: number; readonly code: DropCode }
  | { readonly kind: 'none' }
  | { readonly kind: 'open' };

const OPEN: Ending = { kind: 'open' };

/**
 * Cuts telegrams (`/` … `!CRC`) and general-glo-ciphering frames around them out of a byte stream.
 * Push a piece, then call `next` until it gives `undefined`. Memory is bounded by one frame and
 * one piece; whatever is passed over is given as noise, except blank lines between telegrams.
 */
export class P1Framer {
  readonly #buffer = new Uint8Array(FRAME_BYTES_MAX + PIECE_BYTES_MAX);
  /** Stream offset of the buffer's first byte. */
  #base = 0;
  #start = 0;
  #end = 0;
  /** Bytes of the candidate that were looked at, and whether its first line still goes on. */
  #scanned = 0;
  #inHead = true;
  /** Bytes before `start` that were passed over and not yet told. */
  #noise = 0;
  /** Stream offset up to which bytes were in a frame that was rejected. */
  #rejectedUntil = 0;
  #rejections = 0;

  /** True while something has begun and not ended. */
  get pending(): boolean {
    return this.#end > this.#start || this.#noise > 0;
  }

  /** At most `PIECE_BYTES_MAX` bytes, after `next` has given all it had. */
  push(piece: Uint8Array): void {
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#base += this.#start;
    this.#end -= this.#start;
    this.#start = 0;
    this.#buffer.set(piece, this.#end);
    this.#end += piece.length;
  }

  /** The next frame or noise; `undefined` when more bytes are needed. */
  next(): P1Frame | undefined {
    for (;;) {
      const beginning = this.#beginning(this.#start);
      if (beginning === 'open') return undefined;
      if (beginning === 'none') {
        this.#pass();
        if (this.#noise >= NOISE_REPORT_BYTES) return this.#toldNoise();
        continue;
      }
      if (this.#noise > 0) return this.#toldNoise();
      const ending = beginning === 'telegram' ? this.#telegramEnd(false) : this.#cipheredEnd();
      if (ending.kind === 'open') return undefined;
      if (ending.kind === 'whole') return this.#cut(beginning, ending.end);
      if (ending.kind === 'dropped') return this.#drop(ending.end, ending.code);
      this.#pass();
    }
  }

  /**
   * The sender has fallen silent: gives up what was begun, one thing a call, until `undefined`.
   * A telegram that has its `!` is whole even without a CRC.
   */
  flush(): P1Frame | undefined {
    const frame = this.next();
    if (frame !== undefined) return frame;
    if (this.#noise > 0) return this.#toldNoise();
    if (this.#start === this.#end) return undefined;
    if (this.#beginning(this.#start) === 'telegram') {
      const ending = this.#telegramEnd(true);
      if (ending.kind === 'whole') return this.#cut('telegram', ending.end);
    }
    return this.#drop(this.#nextBeginning(this.#start + 1, this.#end), 'truncated');
  }

  /**
   * The frame given last was no good: goes back to what may be a frame that begins inside it.
   * Returns how many bytes are given up.
   */
  reject(frame: Extract<P1Frame, { bytes: Uint8Array }>): number {
    const end = frame.offset + frame.bytes.length;
    if (frame.offset >= this.#rejectedUntil) this.#rejections = 0;
    this.#rejectedUntil = Math.max(this.#rejectedUntil, end);
    this.#rejections += 1;
    if (this.#rejections > REJECTIONS_MAX) return frame.bytes.length;
    this.#begin(this.#nextBeginning(frame.offset + 1 - this.#base, end - this.#base));
    return this.#base + this.#start - frame.offset;
  }

  /** Forgets everything; offsets begin at 0. */
  clear(): void {
    this.#base = 0;
    this.#end = 0;
    this.#noise = 0;
    this.#rejectedUntil = 0;
    this.#begin(0);
  }

  #begin(start: number): void {
    this.#start = start;
    this.#scanned = 0;
    this.#inHead = true;
  }

  /** One byte belongs to nothing; blank lines, and NULs that wake a meter, are no noise. */
  #pass(): void {
    const byte = this.#buffer[this.#start] ?? 0;
    const blank = byte === CARRIAGE_RETURN || byte === LINE_FEED || byte === 0;
    if (this.#noise > 0 || !blank) this.#noise += 1;
    this.#begin(this.#start + 1);
  }

  #toldNoise(): P1Frame {
    const length = this.#noise;
    this.#noise = 0;
    return { kind: 'noise', offset: this.#base + this.#start - length, length, code: 'noise' };
  }

  #cut(kind: 'telegram' | 'ciphered', end: number): P1Frame {
    const bytes = this.#buffer.subarray(this.#start, end);
    const offset = this.#base + this.#start;
    this.#begin(end);
    return { kind, offset, bytes };
  }

  #drop(end: number, code: DropCode): P1Frame {
    const offset = this.#base + this.#start;
    const length = end - this.#start;
    this.#begin(end);
    return { kind: 'noise', offset, length, code };
  }

  #nextBeginning(from: number, to: number): number {
    for (let index = from; index < to; index += 1) {
      if (this.#beginning(index) !== 'none') return index;
    }
    return to;
  }

  #beginning(index: number): Beginning {
    if (index >= this.#end) return 'open';
    const byte = this.#buffer[index];
    if (byte === SLASH) return this.#letters(index + 1, index + 4);
    if (byte !== GENERAL_GLO_CIPHERING) return 'none';
    if (index + 1 >= this.#end) return 'open';
    return this.#buffer[index + 1] === SYSTEM_TITLE_BYTES ? 'ciphered' : 'none';
  }

  /** A manufacturer has three letters; a slash elsewhere begins nothing. */
  #letters(from: number, to: number): Beginning {
    for (let index = from; index < to; index += 1) {
      if (index >= this.#end) return 'open';
      if (!isLetter(this.#buffer[index] ?? 0)) return 'none';
    }
    return 'telegram';
  }

  #telegramEnd(silent: boolean): Ending {
    let index = this.#start + Math.max(4, this.#scanned);
    for (; index < this.#end; index += 1) {
      const ending = this.#endingAt(index, silent);
      if (ending !== undefined) return ending;
      if (this.#buffer[index] === LINE_FEED) this.#inHead = false;
      this.#scanned = index + 1 - this.#start;
    }
    return OPEN;
  }

  #endingAt(index: number, silent: boolean): Ending | undefined {
    const byte = this.#buffer[index] ?? 0;
    // Meters were seen with a control character in their identification.
    if (!this.#inHead && isControl(byte)) {
      return { kind: 'dropped', end: index, code: 'bad-character' };
    }
    const lengthMax = this.#inHead ? HEAD_BYTES_MAX : TELEGRAM_BYTES_MAX - CHECK_BYTES;
    if (index - this.#start > lengthMax) {
      return { kind: 'dropped', end: index, code: 'too-long' };
    }
    const atLineStart = this.#buffer[index - 1] === LINE_FEED;
    if (byte === EXCLAMATION && atLineStart) return this.#checkEnd(index, silent);
    // Identifications hold no slash (IEC 62056-21, 6.3.2), so there, too, it is a new beginning.
    if (byte !== SLASH || !(atLineStart || this.#inHead)) return undefined;
    const beginning = this.#beginning(index);
    if (beginning === 'open' && !silent) return OPEN;
    if (beginning !== 'telegram') return undefined;
    return { kind: 'dropped', end: index, code: 'truncated' };
  }

  /**
   * Up to four hex digits belong to the `!`. Where fewer stand, what follows tells them from
   * unfinished ones; another character there is a damaged digit and goes with the telegram.
   */
  #checkEnd(exclamation: number, silent: boolean): Ending {
    const last = exclamation + CHECK_BYTES;
    let end = exclamation + 1;
    while (end < last && end < this.#end && isHexDigit(this.#buffer[end] ?? 0)) end += 1;
    if (end === last) return { kind: 'whole', end };
    if (end === this.#end) return silent ? { kind: 'whole', end } : OPEN;
    return { kind: 'whole', end: mayFollow(this.#buffer[end] ?? 0) ? end : end + 1 };
  }

  /** The length is BER, of at most two bytes (IEC 62056-5-3, Annex C). */
  #cipheredEnd(): Ending {
    const head = this.#start + 2 + SYSTEM_TITLE_BYTES;
    const [first = 0, second = 0, third = 0] = this.#buffer.subarray(head, head + 3);
    const lengthBytes = first < 0x80 ? 1 : 1 + (first & 0x7f);
    if (head >= this.#end) return OPEN;
    if (lengthBytes > 3) return { kind: 'none' };
    if (head + lengthBytes > this.#end) return OPEN;
    const length = [first, second, (second << 8) | third][lengthBytes - 1] ?? 0;
    const end = head + lengthBytes + length;
    if (length === 0 || end - this.#start > FRAME_BYTES_MAX) return { kind: 'none' };
    return end > this.#end ? OPEN : { kind: 'whole', end };
  }
}

/** The `!` and its four digits. */
const CHECK_BYTES = 5;

function isLetter(byte: number): boolean {
  const upper = byte & 0xdf;
  return upper >= 0x41 && upper <= 0x5a;
}

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (isLetter(byte) && (byte & 0xdf) <= 0x46);
}

function mayFollow(byte: number): boolean {
  return byte === CARRIAGE_RETURN || byte === LINE_FEED || byte === SLASH || byte === 0;
}

/** Ciphered bytes hold one soon; a telegram is text. */
function isControl(byte: number): boolean {
  if (byte >= 0x20) return byte === DELETE;
  return byte !== CARRIAGE_RETURN && byte !== LINE_FEED && byte !== TAB;
}
