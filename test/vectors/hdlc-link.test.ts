import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '#bytes/hex.ts';
import type { Step } from '#protocol/connection.ts';
import type { ApduLinkMessage } from '#protocol/dlms/apdu-link.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import { type HdlcFrame, decodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { HdlcServerLink } from '#protocol/hdlc/server-link.ts';
import { type Session, type SessionApdu, apdusOf, sessions } from '../support/sessions.ts';
import { withoutVectors } from '../support/vectors.ts';

const SKIP = { skip: withoutVectors };
const HDLC = sessions().filter(({ frames }) => frames[0]?.hex.startsWith('7E'));

const frameOf = (hex: string): HdlcFrame => decodeHdlcFrame(fromHex(hex).subarray(1, -1));

/** What one side of a link sent and told. */
class Heard {
  readonly sent: string[] = [];
  readonly apdus: string[] = [];
  readonly failures: string[] = [];

  take({ send, events }: Step<ApduLinkMessage>): number {
    this.sent.push(...send.map((bytes) => toHex(bytes).toUpperCase()));
    const before = this.apdus.length;
    for (const event of events) {
      if (event.kind !== 'message') this.failures.push(event.failure.code);
      else if (event.message.kind === 'apdu') this.apdus.push(toHex(event.message.bytes));
    }
    return this.apdus.length - before;
  }
}

function apdusFrom(session: Session, dir: SessionApdu['dir']): string[] {
  return apdusOf(session)
    .filter((apdu) => apdu.dir === dir)
    .map(({ bytes }) => toHex(bytes))
    .filter((hex) => !hex.startsWith('8180')); // parameters in a UA
}

/** Does what the recorded client did next, where our client does not do it by itself. */
function prompted(link: HdlcClientLink, hex: string, apdu: string | undefined) {
  const { kind } = frameOf(hex).control;
  if (kind === 'SNRM') return link.start(0);
  if (kind === 'DISC') return link.close(0);
  assert.ok(kind === 'I' && apdu !== undefined, `prompt for ${kind}`);
  return link.send(fromHex(apdu), 0);
}

test('our data link says what the recorded clients said, octet for octet', SKIP, () => {
  assert.equal(HDLC.length, 7);
  for (const session of HDLC) {
    const [first = { hex: '' }] = session.frames;
    const { source: client, destination: server } = frameOf(first.hex);
    const link = new HdlcClientLink({ client, server });
    const heard = new Heard();
    const asked = apdusFrom(session, 'tx');
    for (const [index, { dir, hex }] of session.frames.entries()) {
      if (dir === 'rx') heard.take(link.receive(fromHex(hex), 0));
      else {
        if (heard.sent.length === 0) {
          const isI = frameOf(hex).control.kind === 'I';
          heard.take(prompted(link, hex, isI ? asked.shift() : undefined));
        }
        assert.equal(heard.sent.shift(), hex, `${session.id}, frame ${index}`);
      }
    }
    assert.deepEqual(heard.apdus, apdusFrom(session, 'rx'), session.id);
    assert.deepEqual(heard.failures, [], session.id);
  }
});

test('our server answers the recorded clients as their servers did, octet for octet', SKIP, () => {
  for (const session of HDLC) {
    const [first = { hex: '' }] = session.frames;
    const server = frameOf(first.hex).destination;
    // Gurux counts its LLC header against every segment.
    const link = new HdlcServerLink({ server, segmentBytes: 125 });
    const heard = new Heard();
    const answers = apdusFrom(session, 'rx');
    heard.take(link.start(0));
    let compared = 0;
    for (const { dir, hex } of session.frames) {
      if (dir === 'tx') {
        const asked = heard.take(link.receive(fromHex(hex), 0));
        const answer = answers[0];
        if (asked > 0 && answer !== undefined)
          heard.take(link.send(fromHex(answers.shift() ?? '')));
        continue;
      }
      const said = heard.sent.shift();
      // The recording ends inside the last answer.
      if (said === undefined) break;
      compared += 1;
      // Gurux repeats the parameters when it is left; the standard has a UA without them.
      if (frameOf(said).information.length === 0) continue;
      assert.equal(said, hex, `${session.id}, frame ${compared}`);
    }
    assert.ok(compared > session.frames.length / 2 - 10, `${session.id}: ${compared}`);
    assert.deepEqual(heard.apdus, apdusFrom(session, 'tx'), session.id);
    assert.deepEqual(heard.failures, [], session.id);
  }
});
