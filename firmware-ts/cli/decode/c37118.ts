import { toHex } from '#bytes/hex.ts';
import { COMMANDS } from '#protocol/c37118/command.ts';
import type { Command } from '#protocol/c37118/command.ts';
import type { Configuration, PmuConfiguration } from '#protocol/c37118/configuration.ts';
import { dataLayoutOf } from '#protocol/c37118/data.ts';
import { openFrame } from '#protocol/c37118/frame.ts';
import type { Frame } from '#protocol/c37118/frame.ts';
import { C37118Framer } from '#protocol/c37118/framer.ts';
import type { Framed } from '#protocol/c37118/framer.ts';
import { decodeMessage } from '#protocol/c37118/message.ts';
import type { C37118Message } from '#protocol/c37118/message.ts';
import { instantOf, observationsFromC37118 } from '#reading/from-c37118.ts';
import { isoTimeOf } from '#reading/json.ts';
import type { Adapter, DecodeContext } from './adapter.ts';
import { guarded, observed } from './line.ts';
import type { DecodedLine, Facts } from './line.ts';

const PROTOCOL = 'c37118';
const SYNC_LEAD = 0xaa;

/** Frames of a synchrophasor stream, of either side. */
export const C37118_ADAPTER: Adapter = {
  name: PROTOCOL,
  protocol: PROTOCOL,
  looksLike(bytes) {
    if (bytes[0] === SYNC_LEAD && (bytes[1] ?? 0xff) < 0x60) return 'begins';
    return bytes.includes(SYNC_LEAD) ? 'perhaps' : 'no';
  },
  *decode(chunks, context) {
    const framer = new C37118Framer();
    for (const chunk of chunks) yield* framedLines(framer.push(chunk), context);
    while (framer.pending > 0) yield* framedLines(framer.giveUp(), context);
  },
};

function* framedLines(found: readonly Framed[], context: DecodeContext): Generator<DecodedLine> {
  for (const piece of found) {
    if (piece.kind === 'frame') yield frameLine(piece.offset, piece.frame, context);
    else {
      const { offset, length, failure } = piece;
      yield { protocol: PROTOCOL, offset, length, ok: false, error: { offset, ...failure } };
    }
  }
}

function frameLine(offset: number, frame: Frame, context: DecodeContext): DecodedLine {
  const { kind, idCode, bytes } = frame;
  const { version } = openFrame(frame).head;
  return {
    protocol: PROTOCOL,
    offset,
    length: bytes.length,
    frame: kind,
    idCode,
    version,
    ...guarded(offset, () => described(frame, context)),
  };
}

function described(frame: Frame, { layouts }: DecodeContext): Facts {
  const message = decodeMessage(frame, layouts.get(frame.idCode));
  if (message.kind === 'configuration') {
    layouts.set(frame.idCode, dataLayoutOf(message.configuration));
  }
  return factsOf(message);
}

function factsOf(message: C37118Message): Facts {
  switch (message.kind) {
    case 'data': {
      const { data, layout } = message;
      const stat = Array.from(data.stat, word);
      return { stat, ...observed(observationsFromC37118('', data, layout)) };
    }
    case 'configuration':
      return configurationFacts(message.configuration);
    case 'header':
      return { text: message.header.text };
    case 'command':
      return commandFacts(message.command);
  }
}

function word(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}

function commandFacts({ command, extension }: Command): Facts {
  const name = Object.entries(COMMANDS).find(([, known]) => known === command)?.[0];
  return {
    command: name ?? word(command),
    ...(extension.length === 0 ? {} : { extension: toHex(extension) }),
  };
}

function configurationFacts({ head, timeBase, dataRate, pmus }: Configuration): Facts {
  return {
    time: isoTimeOf(instantOf(head.second, head.fraction, timeBase)),
    timeBase,
    dataRate,
    pmus: pmus.map(pmuFacts),
  };
}

function pmuFacts(pmu: PmuConfiguration): Facts {
  const { stationName, idCode, nominalFrequency, phasors, analogs, digitals } = pmu;
  return {
    stationName,
    idCode,
    nominalFrequency,
    phasors: phasors.map(({ name }) => name),
    analogs: analogs.map(({ name }) => name),
    digitals: digitals.map(({ names }) => names.map((name) => name.trim())),
  };
}
