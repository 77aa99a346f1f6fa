import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Writer } from '#bytes/cursor.ts';
import { readPcap } from '#bytes/pcap.ts';
import { encodeConfiguration } from '#protocol/c37118/configuration-codec.ts';
import type { Configuration } from '#protocol/c37118/configuration.ts';
import { type DataFrame, dataLayoutOf, newDataFrame, writeData } from '#protocol/c37118/data.ts';
import { checkFrame } from '#protocol/c37118/frame.ts';
import { type C37118Message, decodeMessage } from '#protocol/c37118/message.ts';
import { formatOf, statOf } from '#protocol/c37118/words.ts';
import { observationsFromC37118 } from '#reading/from-c37118.ts';
import { type Reading, valueOf } from '#reading/reading.ts';
import { CAPTURES, c37118Path, capturedMessages } from '../support/c37118.ts';
import { withoutVectors } from '../support/vectors.ts';

const TSHARK = '/usr/bin/tshark';
const absent = existsSync(TSHARK) ? false : 'tshark is not installed (Debian package tshark)';

/** What tshark says of each DATA frame, in words. */
function tsharkReads(file: string): readonly string[] {
  const text = execFileSync(TSHARK, ['-r', file, '-Y', 'synphasor', '-O', 'synphasor', '-V'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 28,
  });
  return text
    .split(/^IEEE C37\.118 Synchrophasor Protocol, /m)
    .filter((frame) => frame.startsWith('Data Frame'));
}

interface Told {
  readonly magnitudes: readonly number[];
  readonly degrees: readonly number[];
  readonly frequencies: readonly number[];
  readonly rocofs: readonly number[];
  readonly analogs: readonly number[];
  readonly digitals: readonly number[];
  readonly fraction: number;
}

const numbers = (text: string, pattern: RegExp): readonly number[] =>
  [...text.matchAll(pattern)].map((match) => Number(match[1]));

function toldBy(text: string): Told {
  return {
    magnitudes: numbers(text, /Phasor #\d+: ".*", +(\S+)[VA] ∠/g),
    degrees: numbers(text, /Phasor #\d+: ".*∠ *(-?[\d.]+)°/g),
    frequencies: [
      ...numbers(text, /actual frequency: ([\d.]+)Hz/g),
      ...numbers(text, /Actual frequency value: (\S+)/g),
    ],
    rocofs: numbers(text, /Rate of change of frequency: (-?[\d.e-]+)/g),
    analogs: numbers(text, /Analog value #\d+: ".*", (\S+)/g),
    digitals: numbers(text, /Digital status word #\d+: (0x[0-9a-f]+)/g),
    fraction: numbers(text, /Fraction of second \(raw\): (\d+)/g)[0] ?? NaN,
  };
}

function told(message: Extract<C37118Message, { kind: 'data' }>): Told {
  const readings = observationsFromC37118('pmu', message.data, message.layout).flatMap(
    (observation) => observation.readings,
  );
  const named = (part: string): readonly number[] =>
    readings
      .filter(({ object }) => object.includes(part))
      .map((one: Reading) => Number(valueOf(one)));
  return {
    magnitudes: named('/magnitude'),
    degrees: named('/angle').map((angle) => (angle * 180) / Math.PI),
    frequencies: named('/frequency'),
    rocofs: named('/rocof'),
    analogs: named('/analog/'),
    digitals: named('/digital/'),
    fraction: message.data.fraction,
  };
}

/** Three decimals are shown, of numbers computed in single precision. */
function agree(ours: Told, theirs: Told): void {
  for (const name of [
    'magnitudes',
    'degrees',
    'frequencies',
    'rocofs',
    'analogs',
    'digitals',
  ] as const) {
    assert.equal(ours[name].length, theirs[name].length, name);
    ours[name].forEach((value, index) => {
      const other = theirs[name][index] ?? NaN;
      const tolerance = 0.0011 + Math.abs(other) * 1e-6;
      assert.ok(Math.abs(value - other) <= tolerance, `${name} ${index}: ${value} for ${other}`);
    });
  }
  assert.equal(ours.fraction, theirs.fraction);
}

const dataOf = (messages: readonly C37118Message[]) =>
  messages.flatMap((message) => (message.kind === 'data' ? [message] : []));

for (const capture of CAPTURES) {
  test(`tshark reads the DATA of ${capture} as we do`, { skip: absent || withoutVectors }, () => {
    const theirs = tsharkReads(c37118Path(`${capture}.pcap`));
    const ours = dataOf(capturedMessages(capture));
    assert.ok(ours.length > 0);
    assert.equal(theirs.length, ours.length);
    ours.forEach((message, index) => agree(told(message), toldBy(theirs[index] ?? '')));
  });
}

function configurationOf(word: number): Configuration {
  const pmu = (idCode: number) => ({
    stationName: `Station ${idCode}`,
    idCode,
    format: formatOf(word),
    phasors: [
      { name: 'VA', quantity: 'voltage', scale: { kind: 'phunit', factor: 915_527 } },
      { name: 'IA', quantity: 'current', scale: { kind: 'phunit', factor: 45_776 } },
    ] as const,
    analogs: [{ name: 'TAP', scale: { kind: 'anunit', type: 0, factor: 1 } }] as const,
    digitals: [
      {
        names: Array.from({ length: 16 }, (_, bit) => `INPUT ${bit}`),
        normalMask: 0x00ff,
        validMask: 0xffff,
      },
    ],
    nominalFrequency: 50 as const,
    changeCount: word,
  });
  const time = { second: 1_700_000_000, fraction: 0, timeQuality: 0 };
  const head = { kind: 'configuration-2', version: 1, idCode: 1, ...time } as const;
  return { head, timeBase: 1_000_000, pmus: [pmu(10), pmu(11)], dataRate: 50 };
}

function dataFrame(configuration: Configuration, turn: number): Uint8Array {
  const layout = dataLayoutOf(configuration);
  const [format] = configuration.pmus.map((pmu) => pmu.format);
  const data: DataFrame = newDataFrame(layout);
  data.second = 1_700_000_000;
  data.fraction = turn * 20_000;
  data.stat.fill(statOf({ trigger: 1, timeQuality: 3 }));
  const phasor = format?.polar === true ? polar(format.floatPhasors) : [12_000, -5_000];
  data.phasors.set([...phasor, ...phasor, ...phasor, ...phasor]);
  const frequency = format?.floatFrequency === true ? [49.987, 0.25] : [-13, 25];
  data.frequency.set([...frequency, ...frequency]);
  data.analogs.fill(turn);
  data.digitals.fill(0xa50f);
  return writeData(layout, data);
}

const polar = (float: boolean): readonly number[] =>
  float ? [63_500.5, 2.0944] : [40_000, 20_944];

/** Raw IPv4 with UDP from a port of the format's own, so that formats do not mix. */
function pcapOf(datagrams: readonly { readonly port: number; readonly bytes: Uint8Array }[]) {
  const file = new Writer().u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(0x40000).u32(101);
  for (const { port, bytes } of datagrams) {
    const length = 28 + bytes.length;
    file.u32(1_700_000_000).u32(0).u32(length).u32(length);
    file.u16(0x4500).u16(length).u32(0x4000).u8(64).u8(17).u16(0).u32(0x0a000001).u32(0x0a000002);
    file
      .u16(port)
      .u16(4713)
      .u16(8 + bytes.length)
      .u16(0)
      .bytes(bytes);
  }
  return file.finish();
}

test('tshark reads the frames that we write, in all sixteen formats', { skip: absent }, (t) => {
  const datagrams = Array.from({ length: 16 }, (_, word) => {
    const configuration = configurationOf(word);
    const frames = [encodeConfiguration(configuration), dataFrame(configuration, word)];
    return frames.map((bytes) => ({ port: 20_000 + word, bytes }));
  }).flat();
  const pcap = pcapOf(datagrams);
  const folder = mkdtempSync(join(tmpdir(), 'normd-tshark-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'ours.pcap');
  writeFileSync(file, pcap);
  assert.deepEqual(
    [...readPcap(pcap)].map(({ payload }) => payload),
    datagrams.map(({ bytes }) => bytes),
  );
  const theirs = tsharkReads(file);
  assert.equal(theirs.length, 16);
  theirs.forEach((text, word) => {
    assert.match(text, /\[correct\]/);
    assert.match(text, /Trigger detected: Trigger detected/);
    const layout = dataLayoutOf(configurationOf(word));
    const frame = checkFrame(datagrams[2 * word + 1]?.bytes ?? new Uint8Array());
    const message = decodeMessage(frame, layout);
    assert.ok(message.kind === 'data');
    agree(told(message), toldBy(text));
  });
});
