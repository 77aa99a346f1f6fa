/** The candidate that a slip of the fingers most likely meant, if any is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const reach = word.length < 3 ? 0 : Math.max(1, Math.floor(word.length / 3));
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .filter(({ distance }) => distance <= reach)
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.candidate;
}

/** Words longer than this are no slip of a key name; the cost is the product of both lengths. */
const WORD_LENGTH_MAX = 64;

/** Levenshtein's distance, letters in either case being the same. */
function editDistance(a: string, b: string): number {
  if (Math.max(a.length, b.length) > WORD_LENGTH_MAX) return Infinity;
  const [from, to] = [a.toLowerCase(), b.toLowerCase()];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const removed = (previous[column] ?? 0) + 1;
      const inserted = (current[column - 1] ?? 0) + 1;
      current.push(Math.min(replaced, removed, inserted));
    }
    previous = current;
  }
  return previous[to.length] ?? Infinity;
}
