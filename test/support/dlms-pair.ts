import assert from 'node:assert/strict';
import { obisFrom } from '#protocol/cosem/obis.ts';
import type { Step } from '#protocol/connection.ts';
import { MECHANISM } from '#protocol/dlms/acse.ts';
import type { DlmsClientMessage, DlmsClientOptions } from '#protocol/dlms/client/client-options.ts';
import { DlmsClient } from '#protocol/dlms/client/client.ts';
import type { Data } from '#protocol/dlms/data.ts';
import type { DlmsServerOptions } from '#protocol/dlms/server/server.ts';
import { DlmsServer } from '#protocol/dlms/server/server.ts';
import type { AttributeReference, ServiceAnswer, ServiceRequest } from '#protocol/dlms/service.ts';
import { WrapperLink, wrapperServerLink } from '#protocol/wrapper/link.ts';

export const ADDRESS = { client: 16, server: 1 };
export const PASSWORD = Uint8Array.from(Buffer.from('Gurux'));

/** A client and a server, and the wire between them. */
export interface Pair {
  readonly server: DlmsServer;
  readonly client: DlmsClient;
  readonly stored: Map<number, Data>;
  readonly ask: (request: ServiceRequest) => readonly DlmsClientMessage[];
  readonly open: () => readonly DlmsClientMessage[];
  readonly release: () => readonly DlmsClientMessage[];
}

export function pair(
  clientOptions: Partial<DlmsClientOptions> = {},
  serverOptions: Partial<DlmsServerOptions> = {},
): Pair {
  const stored = new Map<number, Data>();
  const client = new DlmsClient({
    link: new WrapperLink(ADDRESS),
    referencing: 'LN',
    authenticator: { mechanismName: MECHANISM.lowest },
    ...clientOptions,
  });
  const server = new DlmsServer({
    link: wrapperServerLink(ADDRESS),
    mechanismName: MECHANISM.lowest,
    objects: {
      get: ({ attributeId }) => {
        const data = stored.get(attributeId);
        return data === undefined ? { refused: 'object-undefined' } : { data };
      },
      set: ({ attribute, data }) => {
        stored.set(attribute.attributeId, data);
        return 'success';
      },
      act: ({ parameters }) =>
        parameters === undefined ? { result: 'success' } : { result: 'success', data: parameters },
    },
    ...serverOptions,
  });
  server.start(0);
  const settle = (first: Step<DlmsClientMessage>): readonly DlmsClientMessage[] => {
    const messages: DlmsClientMessage[] = [];
    const waiting = [first];
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      for (const event of step.events) {
        assert.ok(event.kind === 'message', JSON.stringify(event));
        messages.push(event.message);
      }
      for (const bytes of step.send) {
        for (const answer of server.receive(bytes, 1).send) waiting.push(client.receive(answer, 1));
      }
    }
    return messages;
  };
  return {
    client,
    server,
    stored,
    ask: (request) => settle(client.ask(request, 1)),
    open: () => settle(client.start(0)),
    release: () => settle(client.release(2)),
  };
}

/** Of one object; the value of each is what is stored under its number. */
export function attribute(attributeId: number): AttributeReference {
  return { classId: 1, instanceId: obisFrom('0-0:96.1.0*255'), attributeId };
}

export function answerOf(messages: readonly DlmsClientMessage[]): ServiceAnswer {
  const [message] = messages;
  assert.ok(message?.kind === 'answered', JSON.stringify(message));
  return message.answer;
}

export function codesOf(messages: readonly DlmsClientMessage[]): readonly string[] {
  return messages.map((message) =>
    message.kind === 'failed' ? `${message.step}: ${message.failure.code}` : message.kind,
  );
}
