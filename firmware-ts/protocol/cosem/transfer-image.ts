import { OperatingError } from '#bytes/failure.ts';
import type { BitString, Data } from '../dlms/data.ts';
import type { Procedure } from '../dlms/procedure.ts';
import { act, get, tell } from '../dlms/procedure.ts';
import type { ImageStatus } from './image-status.ts';
import { IMAGE_STATUSES } from './image-status.ts';
import { imageStanding } from './image-standing.ts';
import type { ImageIdentity } from './image-standing.ts';

const IMAGE_TRANSFER = 18;
const IMAGE_TRANSFER_NAME = Uint8Array.of(0, 0, 44, 0, 0, 255);

export interface Image extends ImageIdentity {
  /** The bytes of block `number`, counted from 0. */
  readonly block: (number: number, blockSize: number) => Uint8Array;
}

export interface ImageTransfer {
  readonly image: Image;
  /** Goes on where a transfer of this very image was cut: only missing blocks are sent. */
  readonly resume: boolean;
  readonly activate: boolean;
  readonly logicalName?: Uint8Array;
}

export interface ImageProgress {
  readonly step: 'initiated' | 'transferring' | 'verifying' | 'activating';
  readonly blocksDone: number;
  readonly blocks: number;
}

/** Verification of a large image takes minutes on a small controller. */
const POLL_MS = 2000;
const POLLS_MAX = 300;
const ROUNDS_MAX = 5;

/**
 * Transfers an image (IEC 62056-6-2, 4.4.6.4): initiate, blocks, the missing ones again, verify,
 * compare what the meter says it would activate, and activate if wanted. A transfer is resumed only
 * if the meter tells that it has begun with this image. Errors: `image-transfer-disabled`,
 * `image-unidentified`, `image-incomplete`, `image-not-verified`, `image-other`,
 * `image-not-activated`, those of the services.
 */
export function* transferImage(transfer: ImageTransfer): Procedure<ImageStatus, ImageProgress> {
  const meter = new ImageObject(transfer.logicalName ?? IMAGE_TRANSFER_NAME);
  const { image } = transfer;
  if ((yield* meter.read(5)).value !== true) throw disabled();
  const blockSize = Number((yield* meter.read(2)).value);
  const blocks = Math.ceil(image.size / blockSize);
  if (transfer.resume) yield* checkBegun(meter, image);
  else yield* meter.initiate(image);
  yield* tell<ImageProgress>({ step: 'initiated', blocksDone: 0, blocks });
  yield* sendMissing(meter, image, blockSize, blocks);
  yield* tell<ImageProgress>({ step: 'verifying', blocksDone: blocks, blocks });
  yield* meter.invoke(3, ZERO);
  yield* settled(meter, 'verification-successful', 'verification-failed', 'image-not-verified');
  // Some meters tell nothing here: what they verified is what they were sent.
  if (imageStanding(yield* meter.read(7), image) === 'other') throw otherImage();
  if (!transfer.activate) return 'verification-successful';
  yield* tell<ImageProgress>({ step: 'activating', blocksDone: blocks, blocks });
  yield* meter.invoke(4, ZERO);
  return yield* settled(meter, 'activation-successful', 'activation-failed', 'image-not-activated');
}

const ZERO: Data = { type: 'integer', value: 0 };

class ImageObject {
  readonly #name: Uint8Array;

  constructor(logicalName: Uint8Array) {
    this.#name = logicalName;
  }

  *read(attributeId: number): Procedure<Data> {
    return yield* get({ classId: IMAGE_TRANSFER, instanceId: this.#name, attributeId });
  }

  /** A meter that works on it may answer that it cannot now: that is looked at with its status. */
  *invoke(methodId: number, parameters: Data): Procedure<void> {
    const method = { classId: IMAGE_TRANSFER, instanceId: this.#name, methodId };
    try {
      yield* act({ method, parameters });
    } catch (error) {
      const busy = error instanceof OperatingError && error.code === 'temporary-failure';
      if (!busy) throw error;
    }
  }

  *initiate({ identifier, size }: Image): Procedure<void> {
    const method = { classId: IMAGE_TRANSFER, instanceId: this.#name, methodId: 1 };
    const value: readonly Data[] = [
      { type: 'octet-string', value: identifier },
      { type: 'double-long-unsigned', value: size },
    ];
    yield* act({ method, parameters: { type: 'structure', value } });
  }

  *send(number: number, bytes: Uint8Array): Procedure<void> {
    const method = { classId: IMAGE_TRANSFER, instanceId: this.#name, methodId: 2 };
    const value: readonly Data[] = [
      { type: 'double-long-unsigned', value: number },
      { type: 'octet-string', value: bytes },
    ];
    yield* act({ method, parameters: { type: 'structure', value } });
  }
}

/** Blocks of one image behind blocks of another would be found out by verification, or never. */
function* checkBegun(meter: ImageObject, image: Image): Procedure<void> {
  const standing = imageStanding(yield* meter.read(7), image);
  if (standing === 'same') return;
  if (standing === 'other') throw otherImage();
  throw new OperatingError('image-unidentified', 'the meter does not tell what it has begun', {
    field: 'image-to-activate-info',
    hint: 'transfer the image anew, without resuming',
  });
}

function* sendMissing(
  meter: ImageObject,
  image: Image,
  blockSize: number,
  blocks: number,
): Procedure<void, ImageProgress> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const missing = missingIn((yield* meter.read(3)).value as BitString, blocks);
    if (missing.length === 0) return;
    for (const [index, number] of missing.entries()) {
      yield* meter.send(number, image.block(number, blockSize));
      const blocksDone = blocks - missing.length + index + 1;
      yield* tell<ImageProgress>({ step: 'transferring', blocksDone, blocks });
    }
  }
  throw new OperatingError('image-incomplete', `blocks are missing after ${ROUNDS_MAX} rounds`, {
    hint: 'look at the line, then resume',
  });
}

/** Blocks whose bit is not set; a meter may tell fewer bits than there are blocks. */
function missingIn(status: BitString, blocks: number): readonly number[] {
  const missing: number[] = [];
  for (let number = 0; number < blocks; number += 1) {
    const byte = status.bytes[number >> 3] ?? 0;
    const known = number < status.bitLength;
    if (!known || (byte & (0x80 >> (number & 7))) === 0) missing.push(number);
  }
  return missing;
}

function* settled(
  meter: ImageObject,
  wanted: ImageStatus,
  failed: ImageStatus,
  code: string,
): Procedure<ImageStatus> {
  for (let poll = 0; poll < POLLS_MAX; poll += 1) {
    const status = IMAGE_STATUSES[Number((yield* meter.read(6)).value)];
    if (status === wanted) return status;
    if (status === failed) break;
    yield { kind: 'pause', delayMs: POLL_MS };
  }
  throw new OperatingError(code, `the meter did not come to ${wanted}`);
}

function disabled(): OperatingError {
  return new OperatingError('image-transfer-disabled', 'the meter takes no image', {
    field: 'image-transfer-enabled',
    hint: 'set attribute 5 of the image transfer object first',
  });
}

function otherImage(): OperatingError {
  return new OperatingError('image-other', 'the meter has another image', {
    field: 'image-to-activate-info',
    hint: 'compare identifier, size and signature, or transfer the image anew',
  });
}
