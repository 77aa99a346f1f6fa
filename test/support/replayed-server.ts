import assert from 'node:assert/strict';
import { fromHex, toHex } from '#bytes/hex.ts';
import type { Step } from '#protocol/connection.ts';
import { ACTION_REQUEST } from '#protocol/dlms/action.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import type { DlmsClientMessage } from '#protocol/dlms/client/client-options.ts';
import type { DlmsClient } from '#protocol/dlms/client/client.ts';
import { GET_REQUEST } from '#protocol/dlms/get.ts';
import { referenceOf } from '#protocol/dlms/selective-access.ts';
import type { ServiceAnswer, ServiceRequest } from '#protocol/dlms/service.ts';
import { SET_REQUEST } from '#protocol/dlms/set.ts';
import { READ_REQUEST } from '#protocol/dlms/short-names.ts';
import { rawReference } from './raw-names.ts';
import type { SessionFrame } from './sessions.ts';
import { apduIn } from './sessions.ts';

/** A request, and what answered it. */
export interface Answered {
  readonly request: ServiceRequest;
  readonly answer: ServiceAnswer;
}

/** What a client got through of a recorded session. */
export interface Replayed {
  readonly exchanges: readonly Answered[];
  /** Requests that were answered, and associations that stood. */
  readonly answered: number;
  readonly associated: number;
  readonly refused: readonly string[];
  /** What the client says next, where the recording ends in the middle of an answer. */
  readonly ahead: readonly Uint8Array[];
  /** Requests that our client would make otherwise: ACCESS, and lists of one. */
  readonly leftOut: number;
}

export interface ReplayedSession {
  readonly frames: readonly SessionFrame[];
  /** The client for the next association of the session. */
  readonly clientFor: () => DlmsClient;
  /** What is sent in the place of a frame that the recorded client got wrong, in hex. */
  readonly instead?: Readonly<Record<string, string>>;
}

/**
 * Plays the recorded server. The client is made to ask what the recorded client asked, and must
 * send the same octets each time: so that the answers are answers to it.
 */
export function replayServer(session: ReplayedSession): Replayed {
  const replay = new Replay(session);
  let skipping = false;
  for (const [index, frame] of session.frames.entries()) {
    if (frame.dir === 'tx') skipping = isLeftOut(apduIn(frame), skipping);
    if (skipping && frame.dir === 'tx') replay.leaveOut();
    if (skipping) continue;
    if (frame.dir === 'rx') replay.receive(fromHex(frame.hex), index);
    else replay.expect(frame, index);
  }
  return replay.end();
}

class Replay {
  readonly #session: ReplayedSession;
  #client: DlmsClient | undefined;
  /** What the client has sent and was not yet compared. */
  readonly #sent: Uint8Array[] = [];
  readonly #messages: DlmsClientMessage[] = [];
  readonly #exchanges: Answered[] = [];
  #request: ServiceRequest | undefined;
  #leftOut = 0;

  constructor(session: ReplayedSession) {
    this.#session = session;
  }

  receive(bytes: Uint8Array, at: number): void {
    assert.ok(this.#client);
    this.#take(this.#client.receive(bytes, at));
  }

  /** The client must send this next; it is made to, if nothing is under way. */
  expect(frame: SessionFrame, at: number): void {
    if (this.#sent.length === 0) this.#begin(apduIn(frame), at);
    const sent = toHex(this.#sent.shift() ?? new Uint8Array()).toUpperCase();
    assert.equal(sent, this.#session.instead?.[frame.hex] ?? frame.hex, `frame ${at}`);
  }

  leaveOut(): void {
    this.#leftOut += 1;
  }

  end(): Replayed {
    const count = (kind: DlmsClientMessage['kind']): number =>
      this.#messages.filter((message) => message.kind === kind).length;
    const refused = this.#messages.flatMap((message) =>
      message.kind === 'failed' ? [message.failure.code] : [],
    );
    return {
      exchanges: this.#exchanges,
      associated: count('associated'),
      answered: count('answered'),
      refused,
      ahead: this.#sent,
      leftOut: this.#leftOut,
    };
  }

  #begin(apdu: Uint8Array, at: number): void {
    // An SNRM carries none; the AARQ follows it by itself.
    const opening = apdu.length === 0 || apdu[0] === APDU_TAG.aarq;
    if (opening || this.#client === undefined) {
      this.#client = this.#session.clientFor();
      this.#take(this.#client.start(at));
      if (opening) return;
    }
    const leaving = apdu[0] === APDU_TAG.rlrq;
    const request = leaving ? undefined : requestOf(apdu);
    this.#request = request;
    this.#take(request ? this.#client.ask(request, at) : this.#client.release(at));
  }

  #take({ send, events }: Step<DlmsClientMessage>): void {
    this.#sent.push(...send);
    for (const event of events) {
      assert.ok(event.kind === 'message', JSON.stringify(event));
      this.#messages.push(event.message);
      if (event.message.kind !== 'answered' || this.#request === undefined) continue;
      this.#exchanges.push({ request: this.#request, answer: event.message.answer });
    }
  }
}

/** What our client would ask otherwise is left out with its answer: ACCESS, lists of one. */
export function isLeftOut(apdu: Uint8Array, before: boolean): boolean {
  if (apdu[0] === APDU_TAG.generalBlockTransfer) return before;
  return apdu[0] === APDU_TAG.accessRequest || isListOfOne(apdu);
}

function isListOfOne(apdu: Uint8Array): boolean {
  if (apdu[0] !== APDU_TAG.getRequest) return false;
  const request = GET_REQUEST.decode(apdu);
  return request.kind === 'get-request-with-list' && request.attributes.length === 1;
}

/** What a client must be asked for to send this. */
function requestOf(apdu: Uint8Array): ServiceRequest {
  switch (apdu[0]) {
    case APDU_TAG.getRequest: {
      const request = GET_REQUEST.decode(apdu);
      if (request.kind === 'get-request-normal') {
        return { kind: 'get', attributes: [referenceOf(request)] };
      }
      assert.equal(request.kind, 'get-request-with-list');
      return { kind: 'get', attributes: request.attributes.map(referenceOf) };
    }
    case APDU_TAG.setRequest: {
      const request = SET_REQUEST.decode(apdu);
      assert.equal(request.kind, 'set-request-normal');
      return { kind: 'set', items: [{ attribute: referenceOf(request), data: request.value }] };
    }
    case APDU_TAG.actionRequest: {
      const request = ACTION_REQUEST.decode(apdu);
      assert.equal(request.kind, 'action-request-normal');
      return { kind: 'action', items: [request] };
    }
    case APDU_TAG.readRequest:
      return { kind: 'get', attributes: READ_REQUEST.decode(apdu).map(rawReference) };
    default:
      throw new RangeError(`no request for ${toHex(apdu)}`);
  }
}
