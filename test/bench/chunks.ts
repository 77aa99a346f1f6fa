/**
 * Gives a stream in chunks of one size, all in the same buffer that is filled anew for each, as a
 * driver fills its own: a view made for each octet would cost more than what is measured.
 */
export function inChunks(
  stream: Uint8Array,
  bytes: number,
  take: (chunk: Uint8Array) => void,
): void {
  const chunk = new Uint8Array(bytes);
  for (let start = 0; start < stream.length; start += bytes) {
    const count = Math.min(bytes, stream.length - start);
    for (let index = 0; index < count; index += 1) chunk[index] = stream[start + index] ?? 0;
    take(count === bytes ? chunk : chunk.subarray(0, count));
  }
}
