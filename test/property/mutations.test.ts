import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OperatingError } from '#bytes/failure.ts';
import { fromHex, toHex } from '#bytes/hex.ts';
import { openFrame } from '#protocol/c37118/frame.ts';
import { decodeMessage } from '#protocol/c37118/message.ts';
import { decodeAare, decodeAarq, decodeRlre, decodeRlrq } from '#protocol/dlms/acse.ts';
import { decodeData } from '#protocol/dlms/axdr.ts';
import { decodeDataNotification } from '#protocol/dlms/data-notification.ts';
import { deframerFor } from '#protocol/dlms/deframer.ts';
import { decodeExceptionResponse } from '#protocol/dlms/errors.ts';
import { decodeGeneralBlock } from '#protocol/dlms/general-block-transfer.ts';
import { decodeGeneralCiphering } from '#protocol/dlms/general-ciphering.ts';
import { decodeInitiateRequest, decodeInitiateResponse } from '#protocol/dlms/initiate.ts';
import { decodeReadout } from '#protocol/iec62056-21/readout.ts';
import { decodeP1Telegram } from '#protocol/p1/telegram.ts';
import { CAPTURES, capturedFrames } from '../support/c37118.ts';
import type { Sample } from '../support/fuzzed-links.ts';
import { cipheredSamples, linkSamples, textSamples } from '../support/fuzzed-links.ts';
import { meaningSamples } from '../support/fuzzed-meaning.ts';
import { mutated } from '../support/mutated.ts';
import { PUSHED, bytesOf, eventsOf, framingOf } from '../support/pushes.ts';
import { seeded } from '../support/seeded.ts';
import { SERVICE_APDUS } from '../support/service-apdus.ts';
import { type Session, apdusOf, sessions } from '../support/sessions.ts';
import { meterVectors, withoutVectors } from '../support/vectors.ts';

/** Some of them at each commit, ten million in a nightly campaign. */
const COUNT = Number(process.env['NORMD_MUTATIONS'] ?? 60_000);
const SEED = Number(process.env['NORMD_SEED'] ?? 4);
/** A claimed length or count that was believed would take far more. */
const GROWTH_MIB_MAX = 384;

const DECODERS: Readonly<Record<number, (apdu: Uint8Array) => unknown>> = {
  0x0f: decodeDataNotification,
  0x01: decodeInitiateRequest,
  0x08: decodeInitiateResponse,
  0x60: decodeAarq,
  0x61: decodeAare,
  0x62: decodeRlrq,
  0x63: decodeRlre,
  0xd8: decodeExceptionResponse,
  0xdb: decodeGeneralCiphering,
  0xe0: decodeGeneralBlock,
};

function apduReader(tag: number | undefined): Sample['read'] | undefined {
  if (tag === undefined) return undefined;
  const service = SERVICE_APDUS[tag];
  return service === undefined ? DECODERS[tag] : (apdu) => service.decodeLeading(apdu);
}

function apduSamples(apdus: readonly Uint8Array[]): readonly Sample[] {
  return apdus.flatMap((bytes) => {
    const read = apduReader(bytes[0]);
    return read === undefined ? [] : [{ bytes, read }];
  });
}

function frameSamples({ frames }: Session): readonly Sample[] {
  const framing = frames[0]?.hex.startsWith('7E') === true ? 'hdlc' : 'wrapper';
  const read = (bytes: Uint8Array): unknown => deframerFor(framing).push(bytes);
  return frames.map(({ hex }) => ({ bytes: fromHex(hex), read }));
}

function pushSamples(): readonly Sample[] {
  return PUSHED.map((vector) => {
    return {
      bytes: bytesOf(vector),
      read: (bytes) => eventsOf(vector, bytes, { framing: framingOf(vector) }),
    };
  });
}

function telegramSamples(): readonly Sample[] {
  const samplesOf = (kind: string, read: Sample['read']): readonly Sample[] =>
    meterVectors('dlms/push', [kind]).map(({ hex }) => ({ bytes: fromHex(hex), read }));
  return [...samplesOf('p1/telegram', decodeP1Telegram), ...samplesOf('d0/readout', decodeReadout)];
}

/** Frames whose check is made right again would be refused by nothing but what they claim. */
function phasorSamples(): readonly Sample[] {
  return CAPTURES.flatMap((capture) => {
    return capturedFrames(capture)
      .slice(0, 4)
      .map((frame) => ({
        bytes: frame.bytes,
        read: (bytes: Uint8Array): unknown => {
          const altered = { ...frame, bytes };
          openFrame(altered);
          return decodeMessage(altered);
        },
      }));
  });
}

function samples(): readonly Sample[] {
  const recorded = sessions();
  const apdus = recorded.flatMap((session) => apdusOf(session).map(({ bytes }) => bytes));
  const values = apdus
    .filter(([tag, kind]) => tag === 0xc4 && kind === 1)
    .map((apdu) => ({ bytes: apdu.subarray(4), read: decodeData }));
  return [
    ...apduSamples(apdus),
    ...recorded.flatMap(frameSamples),
    ...values,
    ...pushSamples(),
    ...telegramSamples(),
    ...recorded.flatMap(linkSamples),
    ...recorded.flatMap(cipheredSamples),
    ...textSamples(),
    ...meaningSamples(),
    ...phasorSamples(),
  ];
}

/** Errors: whatever is thrown that is no `OperatingError`, with the bytes that repeat it. */
function readMutated({ bytes, read }: Sample, random: () => number): boolean {
  const input = mutated(bytes, random);
  try {
    read(input);
    return true;
  } catch (error) {
    if (error instanceof OperatingError) return false;
    throw new Error(`seed ${SEED}, ${toHex(input)}`, { cause: error });
  }
}

const residentMiB = (): number => process.resourceUsage().maxRSS / 1024;

test(
  `${COUNT} mutations of what meters and PMUs sent throw nothing but typed errors, and cost little`,
  { skip: withoutVectors },
  () => {
    const all = samples();
    const entropy = seeded(SEED);
    const random = (): number => entropy.fraction();
    const before = residentMiB();
    let taken = 0;
    for (let count = 0; count < COUNT; count += 1) {
      const sample = all[Math.floor(random() * all.length)];
      if (sample !== undefined && readMutated(sample, random)) taken += 1;
    }
    assert.ok(taken > 0 && taken < COUNT, `${taken} were taken, so some reach the values`);
    assert.ok(residentMiB() - before < GROWTH_MIB_MAX, `${residentMiB() - before} MiB more`);
  },
);
