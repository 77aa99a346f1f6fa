import { toHex } from '#bytes/hex.ts';
import { isPushTag } from '#protocol/dlms/apdu-extent.ts';
import type { Framing } from '#protocol/dlms/deframer.ts';
import { DlmsPushConnection, type DlmsPushMessage } from '#protocol/dlms/push.ts';
import { observationFromCosem } from '#reading/from-cosem.ts';
import { machineAesGcm } from '#system/cipher.ts';
import { END_OF_INPUT_MS, type Adapter, type Likeness } from './adapter.ts';
import { NO_ARRIVAL, linesOf, observed, type Facts } from './line.ts';

const PROTOCOL = 'dlms-push';

/** Pushed DLMS/COSEM notifications in one framing, or in whichever it is. */
function dlmsAdapter(
  name: string,
  framing: Framing | 'auto',
  looksLike: (bytes: Uint8Array) => Likeness,
): Adapter {
  const facts = framing === 'auto' ? {} : { framing };
  const describe = (message: DlmsPushMessage): Facts => ({ ...facts, ...describedPush(message) });
  return {
    name,
    protocol: PROTOCOL,
    looksLike,
    *decode(chunks, { keys }) {
      const connection = new DlmsPushConnection({
        framing,
        keys,
        authentication: 'if-key',
        cipher: machineAesGcm,
      });
      connection.start(0);
      for (const chunk of chunks) {
        yield* linesOf(PROTOCOL, connection.receive(chunk, 0).events, describe);
      }
      yield* linesOf(PROTOCOL, connection.expire(END_OF_INPUT_MS).events, describe);
    },
  };
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
    ...(defect === undefined ? {} : { error: defect }),
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
    return bytes.includes(HDLC_FLAG) ? 'perhaps' : 'no';
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
