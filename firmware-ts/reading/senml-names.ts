import { OperatingError } from '#bytes/failure.ts';
import { bytesFromUtf8, utf8FromBytes } from '#bytes/text.ts';
import { fromHex, toHex } from '#bytes/hex.ts';

/** RFC 8428, 4.5.1: what a resolved name may look like. */
export const LEGAL_NAME = /^[A-Za-z0-9][A-Za-z0-9\-:./_]*$/;

/**
 * What a gateway or a stream may be called, as a pattern: a level of a topic, and the head of SenML
 * names, whose first character must be a letter or digit (RFC 8428, 4.5.1).
 */
export const NAME = '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$';

const OBIS = /^\d+-\d+:\d+\.\d+\.\d+\*\d+$/;
const OBIS_NAME = /^\d+-\d+:\d+\.\d+\.\d+\.\d+$/;
const ILLEGAL = /[^A-Za-z0-9\-:./]/gu;

/**
 * The name of an object, without the base name. An OBIS code has `.` for its `*`; of any other
 * object a character outside `[A-Za-z0-9:./-]` is written as `_` and two hex digits for each of
 * its UTF-8 bytes. Different objects have different names.
 */
export function nameOfObject(object: string): string {
  if (OBIS.test(object)) return object.replace('*', '.');
  const name = object.replace(ILLEGAL, escaped);
  // An object that looks like the name of an OBIS code must not be taken for it.
  return OBIS_NAME.test(name) ? name.replace(/\.(\d+)$/, '_2e$1') : name;
}

/** The inverse of `nameOfObject`. Errors: `bad-name` for an escape that no object has. */
export function objectOfName(name: string): string {
  if (OBIS_NAME.test(name)) return name.replace(/\.(\d+)$/, '*$1');
  return name.replace(/(?:_[0-9a-f]{2})+|_/g, (run) => {
    if (run === '_')
      throw new OperatingError('bad-name', 'an escape is incomplete', { field: 'n' });
    return utf8FromBytes(fromHex(run.replaceAll('_', '')));
  });
}

function escaped(character: string): string {
  return toHex(bytesFromUtf8(character)).replace(/../g, '_$&');
}
