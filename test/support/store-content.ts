import type { Append } from '#store/store.ts';

export const BACKEND = 'utility';
export const SOURCES = ['meter1', 'meter2', 'pmu'] as const;

/** Observation `number` of a test that counts; it carries its number and is owed once. */
export function numbered(number: number): Append {
  const source = sourceOf(number);
  const bytes = new Uint8Array(8 + (number % 200));
  new DataView(bytes.buffer).setUint32(0, number);
  return {
    source,
    observation: bytes,
    readings: 1,
    takenMs: 1_800_000_000_000 + number,
    outputs: [
      {
        backend: BACKEND,
        stream: source,
        class: 'measurement',
        records: bytes,
        recordCount: 1,
        readings: 1,
      },
    ],
  };
}

export function sourceOf(number: number): string {
  return SOURCES[number % SOURCES.length] ?? SOURCES[0];
}

export function contentOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
}
