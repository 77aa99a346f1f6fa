import type { Failure } from '#bytes/failure.ts';
import type { CallName, Calls } from './messages.ts';
import type { NamedGap, Opening } from './store.ts';

/** Asks the books, wherever they are kept; calls are answered in their order, later than asked. */
export interface Caller {
  /** A file was found damaged on use, and another one opened. */
  onSetAside: ((opening: Opening) => void) | undefined;
  onNamed: ((gaps: readonly NamedGap[]) => void) | undefined;
  /** Rejects with the reason when the file cannot be opened. */
  readonly opened: Promise<Opening>;
  /** Settles when nothing holds the file any more. */
  readonly exited: Promise<unknown>;
  /** Settles if the books end before they were told to close. */
  readonly died: Promise<Failure>;
  /** Buffers in `transfer` are not the caller's any more. Errors: codes of `Store`. */
  call<Name extends CallName>(
    call: Name,
    ask: Calls[Name]['ask'],
    transfer?: readonly ArrayBuffer[],
  ): Promise<Calls[Name]['answer']>;
}
