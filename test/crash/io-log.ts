/** One record of the recorder's log (recorder.c), in the order in which things happened. */
export type IoEvent =
  | { readonly kind: 'birth' }
  | { readonly kind: 'open'; readonly fd: number; readonly path: string; readonly created: boolean }
  | { readonly kind: 'close'; readonly fd: number }
  | ContentEvent
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'mkdir'; readonly path: string }
  | { readonly kind: 'sync'; readonly fd: number }
  | { readonly kind: 'synced'; readonly fd: number }
  | { readonly kind: 'mark'; readonly lines: readonly string[] };

export type ContentEvent = { readonly fd: number } & ContentChange;

export type ContentChange =
  | WriteChange
  | { readonly kind: 'resize'; readonly length: number }
  | { readonly kind: 'allocate'; readonly offset: number; readonly length: number };

export interface WriteChange {
  readonly kind: 'write';
  readonly offset: number;
  /** What the process asked to write; `bytes` is empty in a log without bytes. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

const HEAD_BYTES = 32;

interface Fields {
  readonly fd: number;
  readonly a: number;
  readonly b: number;
  readonly one: Uint8Array;
  readonly two: Uint8Array;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

const EVENTS: Readonly<Record<string, (fields: Fields) => IoEvent>> = {
  B: () => ({ kind: 'birth' }),
  O: ({ fd, a, one }) => ({ kind: 'open', fd, path: text(one), created: a === 1 }),
  C: ({ fd }) => ({ kind: 'close', fd }),
  W: ({ fd, a, b, one }) => ({ kind: 'write', fd, offset: a, length: b, bytes: one }),
  T: ({ fd, a }) => ({ kind: 'resize', fd, length: a }),
  A: ({ fd, a, b }) => ({ kind: 'allocate', fd, offset: a, length: b }),
  R: ({ one, two }) => ({ kind: 'rename', from: text(one), to: text(two) }),
  U: ({ one }) => ({ kind: 'unlink', path: text(one) }),
  D: ({ one }) => ({ kind: 'mkdir', path: text(one) }),
  S: ({ fd }) => ({ kind: 'sync', fd }),
  E: ({ fd }) => ({ kind: 'synced', fd }),
  M: ({ one }) => ({ kind: 'mark', lines: text(one).trimEnd().split('\n') }),
};

/** Throws on what the recorder could not follow: a proof over half of the writes is none. */
export function readIoLog(log: Uint8Array): readonly IoEvent[] {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
  const events: IoEvent[] = [];
  for (let at = 0; at < log.length;) {
    const letter = String.fromCharCode(view.getUint8(at));
    const middle = at + HEAD_BYTES + view.getUint32(at + 24, true);
    const end = middle + view.getUint32(at + 28, true);
    const fields = {
      fd: view.getInt32(at + 4, true),
      a: Number(view.getBigUint64(at + 8, true)),
      b: Number(view.getBigUint64(at + 16, true)),
      one: log.subarray(at + HEAD_BYTES, middle),
      two: log.subarray(middle, end),
    };
    const event = EVENTS[letter];
    if (event === undefined) throw new Error(`not followed: ${letter} ${text(fields.one)}`);
    events.push(event(fields));
    at = end;
  }
  return events;
}
