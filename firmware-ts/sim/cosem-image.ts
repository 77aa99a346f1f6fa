import type { Data } from '#protocol/dlms/data.ts';
import { areEqual } from '#protocol/dlms/octets.ts';
import type { DataAccessWord } from '#protocol/dlms/results.ts';
import { fieldsOf } from './cosem/object.ts';

const BLOCK_BYTES = 64;
/** What a client can make a simulated meter hold. */
const IMAGE_BYTES_MAX = 4 << 20;

const STATUS = { none: 0, initiated: 1, verified: 3, refused: 4, activated: 6 } as const;

/** Image transfer of a simulated meter (IEC 62056-6-2, 4.4.6): any whole image is a good one. */
export class CosemImage {
  #identifier: Data = { type: 'octet-string', value: new Uint8Array(0) };
  #size = 0;
  #status: number = STATUS.none;
  readonly #blocks = new Map<number, Uint8Array>();

  readonly attributes = {
    2: (): Data => ({ type: 'double-long-unsigned', value: BLOCK_BYTES }),
    3: (): Data => this.#transferred(),
    4: (): Data => ({ type: 'double-long-unsigned', value: this.#firstMissing() }),
    5: (): Data => ({ type: 'boolean', value: true }),
    6: (): Data => ({ type: 'enum', value: this.#status }),
    7: (): Data => this.#offered(),
  };

  act(methodId: number, parameters: Data | undefined): DataAccessWord {
    switch (methodId) {
      case 1:
        return this.#initiate(parameters);
      case 2:
        return this.#take(parameters);
      case 3:
        this.#status = this.#firstMissing() < this.#count() ? STATUS.refused : STATUS.verified;
        return this.#status === STATUS.verified ? 'success' : 'other-reason';
      case 4:
        if (this.#status !== STATUS.verified) return 'other-reason';
        this.#status = STATUS.activated;
        return 'success';
      default:
        return 'object-undefined';
    }
  }

  #initiate(parameters: Data | undefined): DataAccessWord {
    const [identifier, size] = fieldsOf(parameters);
    if (identifier?.type !== 'octet-string' || size?.type !== 'double-long-unsigned') {
      return 'type-unmatched';
    }
    if (size.value > IMAGE_BYTES_MAX) return 'other-reason';
    this.#identifier = identifier;
    this.#size = size.value;
    this.#blocks.clear();
    this.#status = STATUS.initiated;
    return 'success';
  }

  #take(parameters: Data | undefined): DataAccessWord {
    const [number, bytes] = fieldsOf(parameters);
    if (number?.type !== 'double-long-unsigned' || bytes?.type !== 'octet-string') {
      return 'type-unmatched';
    }
    const expected = Math.min(BLOCK_BYTES, this.#size - number.value * BLOCK_BYTES);
    if (this.#status === STATUS.none || bytes.value.length !== expected) return 'other-reason';
    this.#blocks.set(number.value, bytes.value.slice());
    return 'success';
  }

  /** Whether this is what arrived, whole and in order. */
  holds(image: Uint8Array): boolean {
    const blocks = Array.from({ length: this.#count() }, (_, number) => this.#blocks.get(number));
    return areEqual(Buffer.concat(blocks.map((block) => block ?? new Uint8Array(0))), image);
  }

  #count(): number {
    return Math.ceil(this.#size / BLOCK_BYTES);
  }

  #firstMissing(): number {
    let number = 0;
    while (this.#blocks.has(number)) number += 1;
    return number;
  }

  #transferred(): Data {
    const bitLength = this.#count();
    const bytes = new Uint8Array(Math.ceil(bitLength / 8));
    for (const number of this.#blocks.keys()) {
      bytes[number >> 3] = (bytes[number >> 3] ?? 0) | (0x80 >> (number & 7));
    }
    return { type: 'bit-string', value: { bitLength, bytes } };
  }

  #offered(): Data {
    const size: Data = { type: 'double-long-unsigned', value: this.#size };
    const signature: Data = { type: 'octet-string', value: new Uint8Array(0) };
    const value: readonly Data[] = [
      { type: 'structure', value: [size, this.#identifier, signature] },
    ];
    return { type: 'array', value: this.#size === 0 ? [] : value };
  }
}
