import { bytesFromUtf8, latin1FromBytes, utf8FromBytes } from '#bytes/text.ts';
import { OperatingError } from '#bytes/failure.ts';
import { u16 } from './fields.ts';
import type { Frame, FrameHead } from './frame.ts';
import { encodeFrame, openFrame } from './frame.ts';
import { Writer } from '#bytes/cursor.ts';

/** CMD words (C37.118.2-2011, 6.6, Table 15); all others are left to users or reserved. */
export const COMMANDS = {
  'turn-off': 1,
  'turn-on': 2,
  'send-header': 3,
  'send-configuration-1': 4,
  'send-configuration-2': 5,
  'send-configuration-3': 6,
  extended: 8,
} as const;
export type CommandName = keyof typeof COMMANDS;

export interface Command {
  readonly head: FrameHead;
  readonly command: number;
  /** EXTFRAME: what follows an extended command; empty for the others. */
  readonly extension: Uint8Array;
}

/** Errors: `not-a-command`, `truncated`. The extension is a copy. */
export function decodeCommand(frame: Frame): Command {
  const { head, reader } = openFrame(frame);
  if (head.kind !== 'command') notA('command', head);
  const command = u16.read(reader, 'CMD');
  return { head, command, extension: reader.take(reader.remaining, 'EXTFRAME').slice() };
}

export function encodeCommand({ head, command, extension }: Command): Uint8Array {
  return encodeFrame(head, new Writer().u16(command).bytes(extension).finish());
}

/**
 * A command without extension. Its time is left at zero, which devices accept: a codec has no clock
 * and the standard gives a command's time no meaning.
 */
export function simpleCommand(idCode: number, name: CommandName): Uint8Array {
  const time = { second: 0, fraction: 0, timeQuality: 0 };
  return encodeCommand({
    head: { kind: 'command', version: 1, idCode, ...time },
    command: COMMANDS[name],
    extension: new Uint8Array(),
  });
}

export interface Header {
  readonly head: FrameHead;
  /** Whatever people wrote about the device (6.7). */
  readonly text: string;
}

/** Errors: `not-a-header`. */
export function decodeHeader(frame: Frame): Header {
  const { head, reader } = openFrame(frame);
  if (head.kind !== 'header') notA('header', head);
  const bytes = reader.take(reader.remaining, 'DATA');
  const text = utf8FromBytes(bytes);
  return { head, text: text.includes('\ufffd') ? latin1FromBytes(bytes) : text };
}

export function encodeHeader({ head, text }: Header): Uint8Array {
  return encodeFrame(head, bytesFromUtf8(text));
}

function notA(wanted: string, { kind }: FrameHead): never {
  throw new OperatingError(`not-a-${wanted}`, `a ${kind} frame`, { offset: 1, field: 'SYNC' });
}
