/** What went wrong, where, and what to try next. Codes are stable; messages are prose. */
export interface Failure {
  /** Lower-case words joined by hyphens, e.g. `truncated`, `bad-crc`. Programs compare this. */
  readonly code: string;
  readonly message: string;
  /** Byte offset in the input that was being read. */
  readonly offset?: number;
  /** The standard's name of the field that was being read. */
  readonly field?: string;
  /** The file that it is about. */
  readonly path?: string;
  /** The next thing a technician can try. */
  readonly hint?: string;
}

export interface FailurePlace {
  readonly offset?: number;
  readonly field?: string;
  readonly path?: string;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The one error class for operating errors; a programmer's error is an `assert`. */
export class OperatingError extends Error implements Failure {
  readonly code: string;
  readonly offset?: number;
  readonly field?: string;
  readonly path?: string;
  readonly hint?: string;

  constructor(code: string, message: string, place: FailurePlace = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause });
    this.name = 'OperatingError';
    this.code = code;
    if (place.offset !== undefined) this.offset = place.offset;
    if (place.field !== undefined) this.field = place.field;
    if (place.path !== undefined) this.path = place.path;
    if (place.hint !== undefined) this.hint = place.hint;
  }
}

/** The error to throw for a failure that came as a value. */
export function errorOf({ code, message, ...place }: Failure): OperatingError {
  return new OperatingError(code, message, place);
}

/** The plain value of an error, fit for an event, a log line or JSON. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof OperatingError)) {
    return { code: 'unexpected', message: error instanceof Error ? error.message : String(error) };
  }
  const { code, message, offset, field, path, hint } = error;
  return {
    code,
    message,
    ...(offset === undefined ? {} : { offset }),
    ...(field === undefined ? {} : { field }),
    ...(path === undefined ? {} : { path }),
    ...(hint === undefined ? {} : { hint }),
  };
}
