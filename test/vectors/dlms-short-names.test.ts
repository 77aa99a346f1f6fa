import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '#bytes/hex.ts';
import type { CosemObject } from '#protocol/cosem/object-list.ts';
import { ShortNameTable, learnShortNames } from '#protocol/cosem/short-names.ts';
import type { Step } from '#protocol/connection.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import { APDU_TAG } from '#protocol/dlms/apdu-tags.ts';
import type { DlmsClientMessage } from '#protocol/dlms/client/client-options.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import type { AttributeReference, ServiceAnswer, ServiceRequest } from '#protocol/dlms/service.ts';
import type { VariableAccess } from '#protocol/dlms/short-names.ts';
import { READ_REQUEST } from '#protocol/dlms/short-names.ts';
import { WrapperLink } from '#protocol/wrapper/link.ts';
import { encodeWrapperPdu } from '#protocol/wrapper/wrapper.ts';
import { apdusOf, session } from '../support/sessions.ts';

const WRAPPER_BYTES = 8;

/** What the recorded server answered to each request, in order. */
class RecordedServer {
  readonly requests: Uint8Array[] = [];
  readonly #answers = new Map<string, Uint8Array[]>();

  constructor(apdus: ReturnType<typeof apdusOf>) {
    for (const [index, { dir, bytes }] of apdus.entries()) {
      if (dir !== 'tx') continue;
      this.requests.push(bytes);
      const answer = apdus[index + 1];
      if (answer?.dir !== 'rx') continue;
      const answers = this.#answers.get(keyOf(bytes)) ?? [];
      this.#answers.set(keyOf(bytes), [...answers, answer.bytes]);
    }
  }

  /** Nothing to the very last request: the recording ends in the middle of a profile. */
  answerTo(request: Uint8Array): Uint8Array | undefined {
    const answer = this.#answers.get(keyOf(request))?.shift();
    if (answer === undefined) assert.deepEqual(request, this.requests.at(-1));
    return answer;
  }
}

/** Associations are alike, whatever they propose; all else is compared octet for octet. */
function keyOf(request: Uint8Array): string {
  return request[0] === APDU_TAG.aarq ? 'aarq' : toHex(request);
}

/** A client of short names at a recorded server. */
function clientOf(server: RecordedServer, table: ShortNameTable) {
  const client = new DlmsClient({
    link: new WrapperLink({ client: 16, server: 1 }),
    referencing: 'SN',
    authenticator: { mechanismName: MECHANISM.lowest },
    shortNames: table,
  });
  const settle = ({ send, events }: Step<DlmsClientMessage>): readonly DlmsClientMessage[] => {
    const told = events.flatMap((event) => (event.kind === 'message' ? [event.message] : []));
    const later = send.flatMap((bytes) => {
      const apdu = server.answerTo(bytes.slice(WRAPPER_BYTES));
      if (apdu === undefined) return [];
      return settle(client.receive(encodeWrapperPdu({ source: 1, destination: 16, apdu }), 1));
    });
    return [...told, ...later];
  };
  return {
    open: () => settle(client.start(0)),
    ask: (request: ServiceRequest): ServiceAnswer | undefined => {
      const [message] = settle(client.ask(request, 1));
      if (message === undefined) return undefined;
      assert.ok(message.kind === 'answered', JSON.stringify(message));
      return message.answer;
    },
  };
}

/** What the recorded client meant by a short name. */
function referenceOf(
  access: VariableAccess,
  objects: readonly CosemObject[],
): AttributeReference | undefined {
  if (access.kind !== 'variable-name' && access.kind !== 'parameterized-access') return undefined;
  const name = access.variableName & 0xffff;
  const before = objects.filter(({ baseName = Infinity }) => baseName <= name);
  const found = before.toSorted((a, b) => (b.baseName ?? 0) - (a.baseName ?? 0))[0];
  if (found?.baseName === undefined) return undefined;
  const attributeId = (name - found.baseName) / 8 + 1;
  const attribute = { classId: found.classId, instanceId: found.logicalName, attributeId };
  if (access.kind === 'variable-name') return attribute;
  const { selector, parameter: parameters } = access;
  return { ...attribute, access: { kind: 'other', selector, parameters } };
}

const recorded = session('j-sn-hdlc-none');

test(
  'a meter with short names is read by logical names, octet for octet as recorded',
  { skip: recorded === undefined && 'without the recorded sessions' },
  () => {
    assert.ok(recorded);
    const server = new RecordedServer(apdusOf(recorded));
    const table = new ShortNameTable();
    const { open, ask } = clientOf(server, table);
    assert.deepEqual(
      open().map(({ kind }) => kind),
      ['associated'],
    );
    const procedure = learnShortNames(table);
    let step = procedure.next();
    while (step.done !== true) {
      assert.ok(step.value.kind === 'ask');
      step = procedure.next(ask(step.value.request));
    }
    const objects = step.value;
    assert.equal(objects.length, 27);
    let read = 0;
    for (const request of server.requests
      .filter(([tag]) => tag === APDU_TAG.readRequest)
      .slice(1)) {
      const attributes = READ_REQUEST.decode(request).map((one) => referenceOf(one, objects));
      if (!attributes.every((one) => one !== undefined)) continue;
      const answer = ask({ kind: 'get', attributes });
      if (answer === undefined) break;
      assert.ok(answer.kind === 'results');
      read += answer.results.filter(({ kind }) => kind === 'done').length;
    }
    assert.ok(read > 50, `${read} values`);
  },
);

test('methods are found by the class, and what has no short name is not', () => {
  const table = new ShortNameTable();
  const association = fromHex('0000280000ff');
  assert.equal(table.attribute(12, association, 2), 0xfa08);
  // reply_to_HLS_authentication, the proof before any list can be read.
  assert.equal(table.method(12, association, 8), 0xfa58);
  const register = fromHex('0100010800ff');
  assert.equal(table.attribute(3, register, 2), undefined);
  table.learn([{ classId: 3, logicalName: register, baseName: 0x1000 }]);
  assert.equal(table.attribute(3, register, 2), 0x1008);
  assert.equal(table.method(3, register, 1), 0x1028);
  assert.equal(table.method(1, register, 1), undefined);
});
