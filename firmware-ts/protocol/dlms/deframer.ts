import type { Failure } from '#bytes/failure.ts';
import { OperatingError, failureOf } from '#bytes/failure.ts';
import type { Framer, FramerEvent } from '../framer.ts';
import { hdlcFramer } from '../hdlc/framer.ts';
import { SegmentAssembler, withoutLlc } from '../hdlc/segments.ts';
import { mbusFramer } from '../mbus/frame.ts';
import { TransportAssembler } from '../mbus/transport.ts';
import { wrapperFramer } from '../wrapper/wrapper.ts';
import { bareApduFramer } from './apdu-extent.ts';

/** An APDU without its framing. */
export interface FramedApdu {
  readonly bytes: Uint8Array;
  /** A check of the framing has vouched for the bytes. */
  readonly integral: boolean;
}

/** Framer and assembler as one: chunks in, whole APDUs out. */
export interface Deframer extends Framer<FramedApdu> {
  /** Whether segments wait for more. */
  readonly unfinished: boolean;
  /** Gives up the segments that wait. */
  forget(): readonly FramerEvent<FramedApdu>[];
}

export type Framing = 'hdlc' | 'mbus' | 'wrapper' | 'raw';

export function deframerFor(framing: Framing): Deframer {
  return MAKERS[framing]();
}

const MAKERS: Readonly<Record<Framing, () => Deframer>> = {
  hdlc: () => {
    const segments = new SegmentAssembler();
    return new AssemblingDeframer(hdlcFramer(), true, {
      push: (frame) => {
        const information = segments.push(frame);
        return information === undefined ? undefined : withoutLlc(information);
      },
      pending: () => segments.pending > 0,
      clear: () => segments.clear(),
    });
  },
  mbus: () => {
    const segments = new TransportAssembler();
    return new AssemblingDeframer(mbusFramer(), true, {
      push: (frame) => segments.push(frame)?.apdu,
      pending: () => segments.pending > 0,
      clear: () => segments.clear(),
    });
  },
  wrapper: () =>
    new AssemblingDeframer(
      wrapperFramer(),
      false,
      whole(({ apdu }) => apdu),
    ),
  raw: () =>
    new AssemblingDeframer(
      bareApduFramer(),
      false,
      whole((apdu) => apdu),
    ),
};

interface Assembler<Frame> {
  push(frame: Frame): Uint8Array | undefined;
  pending(): boolean;
  clear(): void;
}

/** Where every frame is a whole APDU. */
function whole<Frame>(apduOf: (frame: Frame) => Uint8Array): Assembler<Frame> {
  return { push: apduOf, pending: () => false, clear: () => undefined };
}

type Event = FramerEvent<FramedApdu>;

class AssemblingDeframer<Frame> implements Deframer {
  readonly #framer: Framer<Frame>;
  readonly #integral: boolean;
  readonly #assembler: Assembler<Frame>;
  /** From the first segment's first byte to the last one's last. */
  #offset = 0;
  #end = 0;

  constructor(framer: Framer<Frame>, integral: boolean, assembler: Assembler<Frame>) {
    this.#framer = framer;
    this.#integral = integral;
    this.#assembler = assembler;
  }

  get pending(): number {
    return this.#framer.pending;
  }

  get unfinished(): boolean {
    return this.#assembler.pending();
  }

  push(chunk: Uint8Array): readonly Event[] {
    return this.#assembled(this.#framer.push(chunk));
  }

  flush(): readonly Event[] {
    return this.#assembled(this.#framer.flush());
  }

  forget(): readonly Event[] {
    if (!this.unfinished) return [];
    this.#assembler.clear();
    return [this.#lost({ code: 'segment-lost', message: 'the last segment never came' })];
  }

  #assembled(events: readonly FramerEvent<Frame>[]): readonly Event[] {
    return events.flatMap((event) => (event.kind === 'frame' ? this.#accept(event) : [event]));
  }

  #accept(event: Extract<FramerEvent<Frame>, { kind: 'frame' }>): readonly Event[] {
    const lost: Event[] = [];
    const continued = this.unfinished;
    try {
      return this.#assemble(event);
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      if (!continued) {
        this.#begin(event);
        return [this.#lost(failureOf(error))];
      }
      lost.push(this.#lost(failureOf(error)));
    }
    // What was gathered is gone; the frame itself may begin something new.
    return [...lost, ...this.#accept(event)];
  }

  #assemble(event: Extract<FramerEvent<Frame>, { kind: 'frame' }>): readonly Event[] {
    const fresh = !this.unfinished;
    const bytes = this.#assembler.push(event.frame);
    if (fresh) this.#begin(event);
    this.#end = event.offset + event.length;
    if (bytes === undefined) return [];
    const frame = { bytes, integral: this.#integral };
    return [{ kind: 'frame', offset: this.#offset, length: this.#end - this.#offset, frame }];
  }

  #begin({ offset, length }: { readonly offset: number; readonly length: number }): void {
    this.#offset = offset;
    this.#end = offset + length;
  }

  #lost(failure: Failure): Event {
    const offset = this.#offset;
    const length = this.#end - offset;
    return { kind: 'discarded', offset, length, failure: { offset, ...failure } };
  }
}
