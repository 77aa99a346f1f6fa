/** So much of a text from the file is enough to find it; a binary file may hold no line end. */
const SHOWN_CHARACTERS_MAX = 40;

/** Characters that move a cursor, hide themselves or turn the text around. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A value from the file as a message shows it: a text in quotes, escaped, and cut where long. */
export function quoted(value: unknown): string {
  return typeof value === 'string' ? `"${shown(value)}"` : shown(String(value));
}

/** The same without quotes, as a part of a path or of a sentence. */
export function shown(text: string, charactersMax = SHOWN_CHARACTERS_MAX): string {
  const characters = Array.from(text.slice(0, 2 * charactersMax + 2)); // two units each at most
  const rest = characters.length > charactersMax ? '...' : '';
  return characters.slice(0, charactersMax).join('').replace(INVISIBLE, escaped) + rest;
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
