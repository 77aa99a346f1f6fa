import { toHex } from '#bytes/hex.ts';
import { isPushTag } from '#protocol/dlms/apdu-extent.ts';
import type { Framing } from '#protocol/dlms/deframer.ts';
import type { CipherKeys } from '#protocol/dlms/security.ts';
import { DlmsPushConnection } from '#protocol/dlms/push.ts';
import type { DlmsPushMessage } from '#protocol/dlms/push.ts';
import { observationFromCosem } from '#reading/from-cosem.ts';
import { machineAesGcm } from '#system/cipher.ts';
import { END_OF_INPUT_MS } from './adapter.ts';
import type { Adapter, Likeness } from './adapter.ts';
import { reflagged } from './flagless.ts';
import type { Reflagged } from './flagless.ts';
import { NO_ARRIVAL, linesOf, observed } from './line.ts';
import type { DecodedLine, Facts } from './line.ts';

const PROTOCOL = 'dlms-push';

/** Pushed DLMS/COSEM notifications in one framing, or in whichever it is. */
function dlmsAdapter(
  name: string,
  framing: Framing | 'auto',
  looksLike: (bytes: Uint8Array) => Likeness,
): Adapter {
  return {
    name,
    protocol: PROTOCOL,
    looksLike,
    *decode(chunks, { keys }) {
      const bare = framing === 'hdlc' ? reflagged(chunks) : undefined;
      const lines = pushLines(bare === undefined ? chunks : [bare.bytes], framing, keys);
      for (const line of lines) yield bare === undefined ? line : asWritten(line, bare);
    },
  };
}

function* pushLines(
  chunks: readonly Uint8Array[],
  framing: Framing | 'auto',
  keys: CipherKeys,
): Generator<DecodedLine> {
  const facts = framing === 'auto' ? {} : { framing };
  const describe = (message: DlmsPushMessage): Facts => ({ ...facts, ...describedPush(message) });
  const options = { framing, keys, authentication: 'if-key', cipher: machineAesGcm } as const;
  const connection = new DlmsPushConnection(options);
  connection.start(0);
  for (const chunk of chunks) {
    yield* linesOf(PROTOCOL, connection.receive(chunk, 0).events, describe);
  }
  yield* linesOf(PROTOCOL, connection.expire(END_OF_INPUT_MS).events, describe);
}

function asWritten(line: DecodedLine, { written }: Reflagged): DecodedLine {
  const { offset, length, error } = line;
  const place = { offset: written(offset), length: written(offset + length) - written(offset) };
  if (error === undefined) return { ...line, ...place };
  return { ...line, ...place, error: { ...error, offset: written(error.offset) } };
}

function describedPush(message: DlmsPushMessage): Facts {
  const { longInvokeIdAndPriority, list, ciphering, unverified, defect, body } = message;
  const { readings, ...rest } = observed([observationFromCosem('', message, NO_ARRIVAL)]);
  return {
    frame: 'data-notification',
    invokeId: longInvokeIdAndPriority & 0xff_ffff,
    ...(list === undefined ? {} : { list }),
    ...(ciphering === undefined ? {} : describedCiphering(ciphering, unverified)),
    ...rest,
    readings,
    ...(readings?.length === 0 ? { body: body.type } : {}),
    // Where it is within the APDU says nothing of where it is in the frames around.
    ...(defect === undefined ? {} : { error: { ...defect, offset: 0 } }),
  };
}

function describedCiphering(
  { systemTitle, invocationCounter }: NonNullable<DlmsPushMessage['ciphering']>,
  unverified: boolean,
): Facts {
  return { systemTitle: toHex(systemTitle), invocationCounter, verified: !unverified };
}

const HDLC_FLAG = 0x7e;
const MBUS_START = 0x68;

export const DLMS_ADAPTERS: readonly Adapter[] = [
  dlmsAdapter('hdlc', 'hdlc', (bytes) => {
    // Frame format type 3 is 1010 in the upper half of its first byte (ISO/IEC 13239, H.4).
    if (bytes[0] === HDLC_FLAG && ((bytes[1] ?? 0) & 0xf0) === 0xa0) return 'begins';
    const possible = bytes.includes(HDLC_FLAG) || reflagged([bytes]) !== undefined;
    return possible ? 'perhaps' : 'no';
  }),
  dlmsAdapter('mbus', 'mbus', (bytes) => {
    const begins = bytes[0] === MBUS_START && bytes[3] === MBUS_START && bytes[1] === bytes[2];
    return begins ? 'begins' : bytes.includes(MBUS_START) ? 'perhaps' : 'no';
  }),
  dlmsAdapter('wrapper', 'wrapper', (bytes) =>
    bytes[0] === 0 && bytes[1] === 1 && bytes.length >= 8 ? 'begins' : 'no',
  ),
  dlmsAdapter('raw', 'raw', (bytes) => (isPushTag(bytes[0]) && bytes.length > 5 ? 'begins' : 'no')),
  // The framings have rows of their own; this one is there to be named.
  dlmsAdapter(PROTOCOL, 'auto', () => 'no'),
];
