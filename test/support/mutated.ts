/** What lengths, counts and tags are made of, at their edges. */
const EDGES = [0, 1, 2, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xfe, 0xff] as const;

/** Some bytes changed, cut out or doubled, or the end cut off. */
export function mutated(bytes: Uint8Array, random: () => number): Uint8Array {
  const out = [...bytes];
  const count = 1 + Math.floor(random() * 4);
  for (let change = 0; change < count; change += 1) {
    const at = Math.floor(random() * out.length);
    const kind = random();
    if (kind < 0.4) out[at] = Math.floor(random() * 256);
    else if (kind < 0.65) out[at] = EDGES[Math.floor(random() * EDGES.length)] ?? 0;
    else if (kind < 0.8) out.splice(at, 1 + Math.floor(random() * 8));
    else if (kind < 0.95) out.splice(at, 0, ...out.slice(at, at + 8));
    else out.length = at;
  }
  return Uint8Array.from(out);
}
