import assert from 'node:assert/strict';
import { fromHex, toHex } from '#bytes/hex.ts';
import type { Step } from '#protocol/connection.ts';
import type { DlmsServer, DlmsServerMessage } from '#protocol/dlms/server/server.ts';
import { replayed } from './recorded-client.ts';
import { aarqIn, serverOf } from './recorded-server.ts';
import { RecordedValues } from './recorded-values.ts';
import { replayServer } from './replayed-server.ts';
import type { Session, SessionFrame } from './sessions.ts';

/** What a recorded client got out of our server. */
export interface ClientReplayed {
  /** Frames that our server said as the recorded one did. */
  readonly alike: number;
  /** Frames in the recording, of the server's. */
  readonly recorded: number;
  readonly refused: readonly string[];
}

export interface ReplayedClientOptions {
  /** What our server says in the place of a frame of the recorded one, in hex. */
  readonly instead: Readonly<Record<string, string>>;
  /** What a frame is compared by, where not by all of its octets. */
  readonly shown: (hex: string) => string;
}

/**
 * Plays the recorded client against our server, which has the values, challenges and counters of
 * the recorded one, until something is asked for that has no whole answer in the recording.
 */
export function replayClient(
  session: Session,
  { instead, shown }: ReplayedClientOptions,
): ClientReplayed {
  const { exchanges } = replayServer({ ...replayed(session), instead });
  const objects = new RecordedValues(session.frames, exchanges);
  const replay = new Replay(session, objects);
  let alike = 0;
  for (const [at, frame] of session.frames.entries()) {
    if (frame.dir === 'tx') replay.say(frame, at);
    if (objects.exhausted) break;
    if (frame.dir === 'tx') continue;
    const said = toHex(replay.heard.shift() ?? new Uint8Array(0)).toUpperCase();
    const differs = differenceOf(shown(said), shown(instead[frame.hex] ?? frame.hex));
    assert.deepEqual(differs, [], `frame ${at}`);
    alike += 1;
  }
  const recorded = session.frames.filter(({ dir }) => dir === 'rx').length;
  return { alike, recorded, refused: replay.refused };
}

const SHOWN = 60;

/** Both from where they part on; a comparison of whole frames of a kilobyte takes for ever. */
function differenceOf(said: string, recorded: string): readonly string[] {
  if (said === recorded) return [];
  const at = Array.from(recorded).findIndex((digit, index) => said[index] !== digit);
  return [said, recorded].map((hex) => `${at}: ${hex.slice(Math.max(0, at), at + SHOWN)}`);
}

class Replay {
  readonly #session: Session;
  readonly #objects: RecordedValues;
  /** Where each association begins; an HDLC one with its SNRM. */
  readonly #beginnings: readonly SessionFrame[];
  #server: DlmsServer | undefined;
  readonly heard: Uint8Array[] = [];
  readonly refused: string[] = [];

  constructor(session: Session, objects: RecordedValues) {
    this.#session = session;
    this.#objects = objects;
    this.#beginnings = session.frames.filter((frame) => {
      return frame.dir === 'tx' && aarqIn(frame) !== undefined;
    });
  }

  say(frame: SessionFrame, at: number): void {
    const anew = this.#server === undefined || this.#isNext(frame);
    const first = this.#beginnings[0] ?? frame;
    if (anew) {
      const beginning = this.#server === undefined ? first : frame;
      this.#server = serverOf(this.#session, beginning, this.#objects);
      this.#take(this.#server.start(at));
    }
    if (this.#server !== undefined) this.#take(this.#server.receive(fromHex(frame.hex), at));
  }

  /** Another association than the first, of another client. */
  #isNext(frame: SessionFrame): boolean {
    return this.#beginnings.indexOf(frame) > 0;
  }

  #take({ send, events }: Step<DlmsServerMessage>): void {
    this.heard.push(...send);
    for (const event of events) {
      assert.ok(event.kind === 'message', JSON.stringify(event));
      if (event.message.kind === 'refused') this.refused.push(event.message.failure.code);
    }
  }
}
