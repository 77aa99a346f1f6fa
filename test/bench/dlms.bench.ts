import { decodeData, encodeData } from '#protocol/dlms/axdr.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { encodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged, hdlcFramer } from '#protocol/hdlc/framer.ts';
import type { Bench } from './bench.ts';
import { ratePerSecond } from './bench.ts';
import { inChunks } from './chunks.ts';

const ROWS = 2880; // a month of quarter hours
const MEGA = 1e6;

function row(index: number): Data {
  const clock = [7, 0xea, 3, 12, 4, 15, index % 60, 30, 0, 0xff, 0x88, 0];
  return {
    type: 'structure',
    value: [
      { type: 'octet-string', value: Uint8Array.from(clock) },
      { type: 'unsigned', value: 0 },
      ...[1, 2, 3, 4].map((factor): Data => ({
        type: 'double-long-unsigned',
        value: 12_345_678 + index * factor,
      })),
    ],
  };
}

const PROFILE = encodeData({
  type: 'array',
  value: Array.from({ length: ROWS }, (_, index) => row(index)),
});

const FRAMES = 200;
const FRAME = flagged(
  encodeHdlcFrame({
    segmented: false,
    destination: { upper: 0x20, length: 1 },
    source: { upper: 1, lower: 17, length: 2 },
    control: { kind: 'UI', poll: true },
    information: PROFILE.slice(0, 480),
  }),
);
const STREAM = Uint8Array.from(Array.from({ length: FRAMES }, () => [...FRAME]).flat());

function deframed(chunk: number): number {
  const framer = hdlcFramer();
  return ratePerSecond(STREAM.length / MEGA, () => {
    let frames = 0;
    inChunks(STREAM, chunk, (bytes) => {
      frames += framer.push(bytes).length;
    });
    if (frames !== FRAMES) throw new Error(`${frames} of ${FRAMES} frames`);
  });
}

export const benches: readonly Bench[] = [
  {
    name: 'axdr.decode',
    unit: 'MB/s',
    run: () => ratePerSecond(PROFILE.length / MEGA, () => void decodeData(PROFILE)),
  },
  { name: 'hdlc.deframe.1B', unit: 'MB/s', run: () => deframed(1) },
  { name: 'hdlc.deframe.64B', unit: 'MB/s', run: () => deframed(64) },
  { name: 'hdlc.deframe.1024B', unit: 'MB/s', run: () => deframed(1024) },
];
