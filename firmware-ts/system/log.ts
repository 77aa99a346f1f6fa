/** One event per line on standard output, for journald; secrets never go into fields. */
export interface Log {
  (level: LogLevel, event: string, fields?: LogFields): void;
}

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** syslog severities, which journald reads from a `<N>` prefix (sd-daemon(3)). */
const SEVERITY: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, info: 6, debug: 7 };

/** A log that writes `event key=value …` lines; under journald each with its severity. */
export function lineLog(write: (line: string) => void, options: { journald: boolean }): Log {
  return (level, event, fields = {}) => {
    const words = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${quoted(String(value))}`);
    const prefix = options.journald ? `<${SEVERITY[level]}>` : `${level} `;
    write(`${prefix}${[event, ...words].join(' ')}\n`);
  };
}

/** Line breaks and quotes come from devices and peers: they must not forge a line. */
function quoted(value: string): string {
  return /^[\w.:/@*+-]+$/.test(value) ? value : JSON.stringify(value);
}
