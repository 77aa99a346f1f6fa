/** OBIS codes have some 20 characters, a PMU's channels up to 255 (CFG-3) and what is added. */
export const PATTERN_LENGTH_MAX = 300;

/**
 * Whether a text fits `pattern`, in which `*` stands for any characters. Matches in linear time,
 * whatever a device calls its channels.
 */
export function patternTest(pattern: string): (text: string) => boolean {
  const [prefix = '', ...rest] = pattern.split('*');
  const suffix = rest.pop();
  if (suffix === undefined) return (text) => text === pattern;
  return (text) => {
    if (!text.startsWith(prefix) || !text.endsWith(suffix)) return false;
    let at = prefix.length;
    for (const part of rest) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= text.length - suffix.length;
  };
}
