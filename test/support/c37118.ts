import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { tcpStreams } from '#bytes/flows.ts';
import { type PcapPacket, readPcap } from '#bytes/pcap.ts';
import { decodeConfiguration } from '#protocol/c37118/configuration-codec.ts';
import { type DataLayout, dataLayoutOf } from '#protocol/c37118/data.ts';
import { type Frame, checkFrame } from '#protocol/c37118/frame.ts';
import { C37118Framer, type Framed } from '#protocol/c37118/framer.ts';
import { type C37118Message, decodeMessage } from '#protocol/c37118/message.ts';
import { VECTORS } from './vectors.ts';

export const CAPTURES = [
  'annex-d/annex_d_tcp4712',
  'annex-d/annex_d_udp4713',
  'captures/C37.118_1PMU_TCP',
  'captures/C37.118_1PMU_UDP',
  'captures/C37.118_2PMUsInSync_TCP',
  'cfg3/cfg3_float_polar_60',
  'cfg3/cfg3_int_rect_60',
  'pypmu/pypmu_multi_tcp4712',
] as const;

export function c37118Path(name: string): string {
  return join(VECTORS, 'c37118', name);
}

export function c37118Bytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(c37118Path(name)));
}

/** A frame as another dissector reads it: strings, several where the frame has several. */
export type OracleFrame = Readonly<Record<string, readonly string[]>> & {
  readonly phasors?: readonly OraclePhasor[];
};

export interface OraclePhasor {
  readonly n: string;
  readonly mag: number;
  readonly unit: string;
  readonly deg: number;
}

export function oracleOf(capture: string): readonly OracleFrame[] {
  const text = gunzipSync(c37118Bytes(`${capture}.oracle.jsonl.gz`)).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as OracleFrame);
}

/** Frames that begin and end with their packets, in the packets' order, as captures have them. */
export function capturedFrames(capture: string): readonly Frame[] {
  return [...readPcap(c37118Bytes(`${capture}.pcap`))].flatMap((packet) => framesOf(packet));
}

function framesOf({ payload }: PcapPacket): readonly Frame[] {
  return new C37118Framer()
    .push(payload)
    .flatMap((piece) => (piece.kind === 'frame' ? [piece.frame] : []));
}

/** Messages of a capture; DATA is read by the latest configuration of its stream. */
export function capturedMessages(capture: string): readonly C37118Message[] {
  const layouts = new Map<number, DataLayout>();
  return capturedFrames(capture).map((frame) => {
    const message = decodeMessage(frame, layouts.get(frame.idCode));
    if (message.kind === 'configuration') {
      layouts.set(frame.idCode, dataLayoutOf(message.configuration));
    }
    return message;
  });
}

/** The bytes of every TCP direction of a capture. */
export function capturedStreams(capture: string): readonly Uint8Array[] {
  const chunks = new Map<string, Uint8Array[]>();
  for (const { flow, bytes } of tcpStreams(readPcap(c37118Bytes(`${capture}.pcap`)))) {
    const known = chunks.get(flow.key);
    if (known === undefined) chunks.set(flow.key, [bytes]);
    else known.push(bytes);
  }
  return [...chunks.values()].map((parts) => new Uint8Array(Buffer.concat(parts)));
}

export function layoutFrom(configurationFrame: Uint8Array): DataLayout {
  return dataLayoutOf(decodeConfiguration(checkFrame(configurationFrame)));
}

/** What a framer finds when the bytes come in chunks of this size. */
export function framedInChunks(bytes: Uint8Array, size: number): readonly Framed[] {
  const framer = new C37118Framer();
  const found: Framed[] = [];
  for (let offset = 0; offset < bytes.length; offset += size) {
    // A copy for each chunk, and of each frame: both are only lent.
    for (const piece of framer.push(bytes.slice(offset, offset + size))) {
      found.push(
        piece.kind === 'frame'
          ? { ...piece, frame: { ...piece.frame, bytes: piece.frame.bytes.slice() } }
          : piece,
      );
    }
  }
  return found;
}
