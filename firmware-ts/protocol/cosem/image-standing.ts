import type { Data } from '../dlms/data.ts';
import { areEqual } from '../dlms/octets.ts';

/** By what an image is told from others. */
export interface ImageIdentity {
  readonly identifier: Uint8Array;
  readonly size: number;
  /** Compared only where it is known. */
  readonly signature?: Uint8Array;
}

/**
 * What image_to_activate_info (IEC 62056-6-2, 4.4.6: of each image its size, identification and
 * signature) says of an image: it is among them, others are, or nothing is told.
 */
export function imageStanding(info: Data, image: ImageIdentity): 'same' | 'other' | 'untold' {
  const images = info.type === 'array' ? info.value : [];
  if (images.length === 0) return 'untold';
  return images.some((one) => isOf(one, image)) ? 'same' : 'other';
}

function isOf(told: Data, image: ImageIdentity): boolean {
  const [size, identifier, signature] = told.type === 'structure' ? told.value : [];
  const { signature: wanted } = image;
  return (
    size?.value === image.size &&
    isOctets(identifier, image.identifier) &&
    (wanted === undefined || isOctets(signature, wanted))
  );
}

function isOctets(data: Data | undefined, bytes: Uint8Array): boolean {
  return data?.type === 'octet-string' && areEqual(data.value, bytes);
}
