import { utf8FromBytes } from '#bytes/text.ts';
import { unwrapPayload } from '#contract/envelope.ts';
import { isoTimeOf } from '#reading/json.ts';
import { decodePack } from '#reading/senml-decode.ts';
import type { SenmlRecord } from '#reading/senml-decode.ts';
import { decodeJsonPack } from '#reading/senml-json.ts';
import { machineZstd } from '#system/zstd.ts';
import type { Adapter } from './adapter.ts';
import { decodedReading, guarded } from './line.ts';
import type { DecodedReading, Facts } from './line.ts';

const NAME = 'senml';

/** What a payload begins with (`contract/normd-1.cddl`), and the first record after it. */
const PACK = /^(?:[\x80-\x97]|\x98.|\x99..|\x9a.{4})[\xa1-\xb7]/s;
const JSON_PACK = /^\s*\[\s*\{/;
/** As much as these look at, white space apart. */
const BEGINNING_BYTES = 64;

/** One payload as it stands on the wire to a back-end: bare, in an envelope, or in JSON. */
export const SENML_ADAPTER: Adapter = {
  name: NAME,
  protocol: NAME,
  looksLike(bytes) {
    const beginning = Buffer.from(bytes.subarray(0, BEGINNING_BYTES)).toString('latin1');
    const known = isEnvelope(bytes) || PACK.test(beginning) || JSON_PACK.test(beginning);
    return known ? 'begins' : 'no';
  },
  *decode(chunks) {
    const payload = Buffer.concat(chunks);
    const place = { protocol: NAME, offset: 0, length: payload.length };
    yield { ...place, ...guarded(0, () => describedPayload(payload)) };
  },
};

/** A map of two whose first key is 1, and a number. */
function isEnvelope([map = 0, key = 0, number = 0xff]: Uint8Array): boolean {
  return map === 0xa2 && key === 1 && number <= 0x1b;
}

function describedPayload(payload: Uint8Array): Facts {
  const bare = unwrapPayload(payload, machineZstd);
  const isJson = JSON_PACK.test(Buffer.from(bare.subarray(0, BEGINNING_BYTES)).toString('latin1'));
  const { key, records } = isJson ? decodeJsonPack(utf8FromBytes(bare)) : decodePack(bare);
  const [first] = records;
  const time = first === undefined ? undefined : timeOf(first);
  return {
    frame: 'pack',
    form: isJson ? 'json' : 'cbor',
    ...(bare === payload ? {} : { uncompressed: bare.length }),
    ...key,
    ...(time === undefined ? {} : { time }),
    readings: records.map((record) => readingOf(record, time)),
  };
}

/** Its own time only where it is not that of the first. */
function readingOf(record: SenmlRecord, first: string | undefined): DecodedReading {
  const { time, ...rest } = decodedReading(record);
  return { ...rest, ...(record.relative || time === undefined || time === first ? {} : { time }) };
}

/** A time that is an offset from now (RFC 8428, 4.5.3) is no date. */
function timeOf({ time, relative }: SenmlRecord): string | undefined {
  return relative ? undefined : isoTimeOf(time);
}
