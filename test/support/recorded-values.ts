import { toHex } from '#bytes/hex.ts';
import { ACCESS_REQUEST, ACCESS_RESPONSE } from '#protocol/dlms/access.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import { SELECTED_ATTRIBUTE } from '#protocol/dlms/descriptors.ts';
import { GET_REQUEST, GET_RESPONSE } from '#protocol/dlms/get.ts';
import { encodeAs } from '#protocol/dlms/layout.ts';
import type { DataAccessWord } from '#protocol/dlms/results.ts';
import { DATA_ACCESS_RESULT } from '#protocol/dlms/results.ts';
import { referenceOf, selectedOf } from '#protocol/dlms/selective-access.ts';
import type { Served, ServerObjects } from '#protocol/dlms/server/server-objects.ts';
import type { AttributeReference, ServiceResult } from '#protocol/dlms/service.ts';
import type { Answered } from './replayed-server.ts';
import { isLeftOut } from './replayed-server.ts';
import type { SessionFrame } from './sessions.ts';
import { apduIn } from './sessions.ts';

/** The objects of a recorded meter: each read gives what was read of it then, in order. */
export class RecordedValues implements ServerObjects {
  readonly #values = new Map<string, Served[]>();
  /** Something was asked for that has no whole answer in the recording. */
  exhausted = false;

  constructor(frames: readonly SessionFrame[], exchanges: readonly Answered[]) {
    this.#learnLeftOut(frames);
    for (const { request, answer } of exchanges) {
      if (request.kind !== 'get' || answer.kind !== 'results') continue;
      for (const [index, attribute] of request.attributes.entries()) {
        const result = answer.results[index];
        if (result !== undefined) this.#learn(attribute, servedLike(result));
      }
    }
  }

  get(attribute: AttributeReference): Served {
    const values = this.#values.get(keyOf(attribute)) ?? [];
    const value = values.length > 1 ? values.shift() : values[0];
    this.exhausted ||= value === undefined;
    return value ?? { refused: 'other-reason' };
  }

  set(): DataAccessWord {
    return 'read-write-denied';
  }

  act(): { readonly result: DataAccessWord } {
    return { result: 'read-write-denied' };
  }

  #learn(attribute: AttributeReference, value: Served): void {
    const key = keyOf(attribute);
    this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
  }

  /** What our client asks otherwise: ACCESS, and lists of one. */
  #learnLeftOut(frames: readonly SessionFrame[]): void {
    for (const [index, frame] of frames.entries()) {
      const request = apduIn(frame);
      const next = frames[index + 1];
      if (frame.dir !== 'tx' || next === undefined || !isLeftOut(request, false)) continue;
      const values = valuesIn(apduIn(next));
      for (const [place, attribute] of attributesIn(request).entries()) {
        const value = values[place];
        if (value !== undefined) this.#learn(attribute, value);
      }
    }
  }
}

function keyOf(attribute: AttributeReference): string {
  return toHex(encodeAs(SELECTED_ATTRIBUTE, selectedOf(attribute)));
}

function servedLike(result: ServiceResult): Served {
  if (result.kind === 'done' && result.data !== undefined) return { data: result.data };
  const word = result.kind === 'refused' ? result.result : '';
  return { refused: isWord(word) ? word : 'other-reason' };
}

function isWord(word: string): word is DataAccessWord {
  return Object.hasOwn(DATA_ACCESS_RESULT, word);
}

function attributesIn(request: Uint8Array): readonly AttributeReference[] {
  if (request[0] === APDU_TAG.accessRequest) {
    const { specifications } = ACCESS_REQUEST.decode(request);
    return specifications.flatMap((one) => ('attribute' in one ? [referenceOf(one)] : []));
  }
  const decoded = GET_REQUEST.decode(request);
  return decoded.kind === 'get-request-with-list' ? decoded.attributes.map(referenceOf) : [];
}

function valuesIn(response: Uint8Array): readonly Served[] {
  if (response[0] === APDU_TAG.accessResponse) {
    return ACCESS_RESPONSE.decode(response).data.map((data) => ({ data }));
  }
  const decoded = GET_RESPONSE.decode(response);
  if (decoded.kind !== 'get-response-with-list') return [];
  return decoded.results.flatMap((one) => (one.kind === 'data' ? [{ data: one.data }] : []));
}
