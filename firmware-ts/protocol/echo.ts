import type { Failure } from '#bytes/failure.ts';
import type { ConnectionEvent, Step } from './connection.ts';
import type { ApduLink, ApduLinkMessage } from './dlms/apdu-link.ts';
import { joined } from './dlms/octets.ts';

/** No step sends more before it waits for an answer: a window of 7 frames of 2 kB, stuffed. */
const EXPECTED_BYTES_MAX = 1 << 15;
/** An echo comes at once; a converter may hold it for a moment. */
const ECHO_PAUSE_MS = 500;

const ECHO: Failure = {
  code: 'echo',
  message: 'what was sent came back: an optical head or a two-wire line echoes',
  hint: 'nothing needs to be done: it is taken off',
};

/**
 * Takes the echo of what was sent off what is received. Whether there is one shows with the first
 * bytes received after the first sent: either they are the same, all of them, or there is none
 * until `clear`. Bytes that could still be an echo are held.
 */
export class EchoRemover {
  #echoes: boolean | undefined;
  /** Sent, and not come back. */
  #expected: Uint8Array = NOTHING;
  #matched = 0;
  #heldAt = 0;

  /** `undefined` until the first exchange has shown it. */
  get echoes(): boolean | undefined {
    return this.#echoes;
  }

  /** When held bytes are no echo any more. */
  get deadline(): number {
    return this.#matched > 0 ? this.#heldAt + ECHO_PAUSE_MS : Infinity;
  }

  clear(): void {
    this.#echoes = undefined;
    this.#expected = NOTHING;
    this.#matched = 0;
  }

  sent(frames: readonly Uint8Array[]): void {
    if (this.#echoes === false) return;
    for (const bytes of frames) {
      if (this.#expected.length + bytes.length > EXPECTED_BYTES_MAX) return;
      this.#expected = joined(this.#expected, bytes);
    }
  }

  /** What is left of a chunk, before it what was held and proved no echo; and the echo's length. */
  received(chunk: Uint8Array, at: number): { readonly rest: Uint8Array; readonly echo: number } {
    if (this.#expected.length === 0) return { rest: chunk, echo: 0 };
    let index = 0;
    while (
      index < chunk.length &&
      this.#matched < this.#expected.length &&
      chunk[index] === this.#expected[this.#matched]
    ) {
      index += 1;
      this.#matched += 1;
    }
    this.#heldAt = at;
    if (this.#matched === this.#expected.length) {
      this.#echoes = true;
      return { echo: this.#forget().length, rest: chunk.subarray(index) };
    }
    if (index === chunk.length) return { rest: NOTHING, echo: 0 };
    // An echo that comes in part only is left to the framing, which finds the answer behind it.
    this.#echoes ??= false;
    return { rest: joined(this.#released(), chunk.subarray(index)), echo: 0 };
  }

  /** What was held, when no more of the echo has come. */
  expire(at: number): Uint8Array {
    return at < this.deadline ? NOTHING : this.#released();
  }

  #released(): Uint8Array {
    const held = this.#matched;
    return this.#forget().subarray(0, held);
  }

  #forget(): Uint8Array {
    const expected = this.#expected;
    this.#expected = NOTHING;
    this.#matched = 0;
    return expected;
  }
}

const NOTHING = new Uint8Array(0);

type Event = ConnectionEvent<ApduLinkMessage>;

/** The same link over a line that may echo; an echo is told as `discarded` with code `echo`. */
export function withoutEcho(link: ApduLink): ApduLink {
  const remover = new EchoRemover();
  let received = 0;
  /** Echo so far: the link counts only what it was given. */
  let removed = 0;

  function stepped(step: Step<ApduLinkMessage>, before: readonly Event[] = []) {
    remover.sent(step.send);
    if (step.events.length === 0 && before.length === 0) return step;
    return { send: step.send, events: [...before, ...step.events.map(moved)] };
  }

  function moved(event: Event): Event {
    if (event.kind === 'stalled') return event;
    return { ...event, offset: event.offset + removed };
  }

  function echoed(length: number): readonly Event[] {
    if (length === 0) return [];
    const offset = received - length;
    removed += length;
    return [{ kind: 'discarded', offset, length, failure: { ...ECHO, offset } }];
  }

  return {
    get deadline() {
      return Math.min(link.deadline, remover.deadline);
    },
    start(at) {
      remover.clear();
      received = 0;
      removed = 0;
      return stepped(link.start(at));
    },
    receive(chunk, at) {
      const { rest, echo } = remover.received(chunk, at);
      received += chunk.length - rest.length;
      const events = echoed(echo);
      received += rest.length;
      return rest.length === 0 ? { send: [], events } : stepped(link.receive(rest, at), events);
    },
    expire(at) {
      const held = remover.expire(at);
      if (held.length > 0) return stepped(link.receive(held, at));
      return at < link.deadline ? { send: [], events: [] } : stepped(link.expire(at));
    },
    send: (apdu, at) => stepped(link.send(apdu, at)),
    ...(link.poll === undefined ? {} : { poll: (at: number) => stepped(poll(link, at)) }),
    close: (at) => stepped(link.close(at)),
    stop: (at) => stepped(link.stop(at)),
  };
}

function poll(link: ApduLink, at: number): Step<ApduLinkMessage> {
  return link.poll?.(at) ?? { send: [], events: [] };
}
