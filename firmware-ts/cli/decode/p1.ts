import type { Failure } from '#bytes/failure.ts';
import { toHex } from '#bytes/hex.ts';
import { P1Connection } from '#protocol/p1/connection.ts';
import type { P1Telegram } from '#protocol/p1/telegram.ts';
import { observationFromP1 } from '#reading/from-p1.ts';
import { machineAesGcm } from '#system/cipher.ts';
import { END_OF_INPUT_MS } from './adapter.ts';
import type { Adapter } from './adapter.ts';
import { NO_ARRIVAL, linesOf, observed } from './line.ts';
import type { Facts } from './line.ts';
import { beginsFramedReadout, beginsIdentification } from './identification.ts';

const SLASH = 0x2f;
const GENERAL_GLO_CIPHERING = 0xdb;

/** P1 telegrams, in clear or inside general-glo-ciphering. */
export const P1_ADAPTER: Adapter = {
  name: 'p1',
  protocol: 'p1',
  looksLike(bytes) {
    if (beginsFramedReadout(bytes)) return 'no';
    if (beginsIdentification(bytes)) return 'begins';
    return bytes.includes(SLASH) || bytes.includes(GENERAL_GLO_CIPHERING) ? 'perhaps' : 'no';
  },
  *decode(chunks, { keys }) {
    const keyed = keys.encryption !== undefined;
    const connection = new P1Connection({
      badCheck: 'mark',
      ...(keyed ? { ciphering: { keys, cipher: machineAesGcm } } : {}),
    });
    connection.start(0);
    for (const chunk of chunks) {
      yield* linesOf('p1', connection.receive(chunk, 0).events, describedTelegram);
    }
    yield* linesOf('p1', connection.expire(END_OF_INPUT_MS).events, describedTelegram);
  },
};

const BAD_CRC: Failure = {
  code: 'bad-crc',
  message: 'the telegram is not as the meter sent it',
  field: 'crc',
  hint: 'damaged on its way, or its line ends were changed when it was saved',
};

function describedTelegram(telegram: P1Telegram): Facts {
  const { manufacturer, identification, check, ciphered, unread } = telegram;
  return {
    frame: 'telegram',
    manufacturer,
    identification,
    check,
    ...(ciphered === undefined
      ? {}
      : { systemTitle: toHex(ciphered.systemTitle), verified: ciphered.verified }),
    ...(unread.length === 0 ? {} : { unread }),
    ...observed([observationFromP1('', telegram, NO_ARRIVAL)]),
    ...(check === 'bad' ? { error: BAD_CRC } : {}),
  };
}
