import { OperatingError } from '#bytes/failure.ts';
import { bytesFromUtf8 } from '#bytes/text.ts';
import { NAME } from '#reading/senml-names.ts';
import { isInteger, readJson } from './json-fields.ts';
import type { JsonFields } from './json-fields.ts';

/**
 * What a back-end says it has (`nd/1/{gateway}/rc`): proof beyond the broker's acknowledgement. The
 * gateway then lets go of all up to `through` but the holes, and sends the holes again.
 */
export interface Receipt {
  readonly version: 1;
  readonly streams: readonly ReceivedStream[];
}

export interface ReceivedStream {
  readonly stream: string;
  readonly epoch: number;
  /** The highest number that the back-end has for good; -1 if it has none. */
  readonly through: number;
  /** What is missing below `through`: first and last number of each hole, in order. */
  readonly holes: readonly (readonly [number, number])[];
}

/**
 * A gateway takes no packet of more than 64 KiB. A back-end with more to say sends several: a
 * receipt speaks only for the streams that it names.
 */
const RECEIPT_BYTES_MAX = 60 * 1024;
const RECEIPT_STREAMS_MAX = 1024;
/** More than this is told in the next receipt, after these have been filled. */
const RECEIPT_HOLES_MAX = 256;

/**
 * As JSON. Of too many holes the first are told, and `through` ends before the rest.
 * Errors: `too-large` where no gateway would take it.
 */
export function encodeReceipt({ streams }: Receipt): string {
  const text = JSON.stringify({ version: 1, streams: streams.map(shortened) });
  if (streams.length <= RECEIPT_STREAMS_MAX && bytesFromUtf8(text).length <= RECEIPT_BYTES_MAX) {
    return text;
  }
  const limits = `${RECEIPT_STREAMS_MAX} streams and ${RECEIPT_BYTES_MAX} bytes`;
  throw new OperatingError('too-large', `a receipt has at most ${limits}`, {
    hint: 'Say it in several: a receipt speaks only for the streams that it names.',
  });
}

function shortened({ stream, epoch, through, holes }: ReceivedStream): ReceivedStream {
  const [end] = holes[RECEIPT_HOLES_MAX] ?? [through + 1];
  return { stream, epoch, through: end - 1, holes: holes.slice(0, RECEIPT_HOLES_MAX) };
}

const NAMED = new RegExp(NAME);

/** Reads a receipt from hostile bytes. Errors: `too-large`; `bad-receipt` with the field. */
export function decodeReceipt(payload: Uint8Array): Receipt {
  const fields = readJson(payload, 'bad-receipt', RECEIPT_BYTES_MAX);
  fields.version(1);
  const streams = fields.objects('streams', RECEIPT_STREAMS_MAX).map(streamFrom);
  const keys = new Set(streams.map(({ stream, epoch }) => `${stream} ${epoch}`));
  if (keys.size < streams.length) fields.refuse('streams', 'one stream and epoch twice');
  return { version: 1, streams };
}

function streamFrom(fields: JsonFields): ReceivedStream {
  const through = fields.integer('through', -1);
  return {
    stream: fields.text('stream', NAMED),
    epoch: fields.integer('epoch'),
    through,
    holes: holesFrom(fields, through),
  };
}

/** In order, apart from one another, and below `through`, which the back-end says it has. */
function holesFrom(fields: JsonFields, through: number): readonly (readonly [number, number])[] {
  let least = 0;
  return fields.list('holes', RECEIPT_HOLES_MAX).map((hole, index) => {
    const [from, last, ...more] = Array.isArray(hole) ? (hole as readonly unknown[]) : [];
    const inside = isInteger(from, least) && isInteger(last, from) && last < through;
    if (!inside || more.length > 0) fields.refuse(`holes[${index}]`, 'no hole, or out of order');
    least = last + 1;
    return [from, last];
  });
}
