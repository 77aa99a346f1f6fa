import type { ConnectionEvent } from '../connection.ts';
import type { Failure } from '#bytes/failure.ts';
import { failureOf } from '#bytes/failure.ts';
import type { Command } from './command.ts';
import { COMMANDS, decodeCommand, encodeHeader } from './command.ts';
import { encodeConfiguration } from './configuration-codec.ts';
import type { Configuration } from './configuration.ts';
import type { FrameHead } from './frame.ts';
import { C37118Framer } from './framer.ts';

export interface ServerStep {
  /** Replies in the order of the commands. */
  readonly send: readonly Uint8Array[];
  readonly events: readonly ConnectionEvent<Command>[];
  /** Whether DATA is wanted after this step. */
  readonly streaming: boolean;
}

/** A PMU's side of one stream: answers commands, also several at once. DATA is its owner's. */
export class C37118Server {
  readonly #configuration: Configuration;
  readonly #header: string;
  readonly #framer = new C37118Framer();
  #streaming = false;

  constructor(configuration: Configuration, header: string) {
    this.#configuration = configuration;
    this.#header = header;
  }

  get streaming(): boolean {
    return this.#streaming;
  }

  receive(chunk: Uint8Array): ServerStep {
    const send: Uint8Array[] = [];
    const events: ConnectionEvent<Command>[] = [];
    for (const piece of this.#framer.push(chunk)) {
      if (piece.kind === 'discarded') {
        events.push(piece);
        continue;
      }
      const { offset, frame } = piece;
      const length = frame.bytes.length;
      try {
        const message = decodeCommand(frame);
        if (frame.idCode !== this.#configuration.head.idCode) {
          events.push({ kind: 'discarded', offset, length, failure: WRONG_IDCODE });
          continue;
        }
        send.push(...this.#obey(message.command));
        events.push({ kind: 'message', offset, length, message });
      } catch (error) {
        events.push({ kind: 'discarded', offset, length, failure: failureOf(error) });
      }
    }
    return { send, events, streaming: this.#streaming };
  }

  #obey(command: number): readonly Uint8Array[] {
    switch (command) {
      case COMMANDS['turn-off']:
        this.#streaming = false;
        return [];
      case COMMANDS['turn-on']:
        this.#streaming = true;
        return [];
      case COMMANDS['send-header']:
        return [encodeHeader({ head: this.#head('header'), text: this.#header })];
      case COMMANDS['send-configuration-1']:
        return [this.#configurationAs('configuration-1')];
      case COMMANDS['send-configuration-2']:
        return [this.#configurationAs('configuration-2')];
      case COMMANDS['send-configuration-3']:
        return [this.#configurationAs('configuration-3')];
      default:
        return []; // users' commands: nothing to do (6.6)
    }
  }

  #head(kind: FrameHead['kind']): FrameHead {
    return { ...this.#configuration.head, kind };
  }

  #configurationAs(kind: FrameHead['kind']): Uint8Array {
    return encodeConfiguration({ ...this.#configuration, head: this.#head(kind) });
  }
}

const WRONG_IDCODE: Failure = { code: 'wrong-idcode', message: 'command for another IDCODE' };
