import { fromHex, toHex } from '#bytes/hex.ts';
import type { Step } from '#protocol/connection.ts';
import type { ApduLinkMessage } from '#protocol/dlms/apdu-link.ts';
import { HdlcClientLink } from '#protocol/hdlc/client-link.ts';
import type { HdlcClientOptions } from '#protocol/hdlc/client-options.ts';
import type { HdlcControl } from '#protocol/hdlc/control.ts';
import { decodeHdlcFrame, encodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged } from '#protocol/hdlc/framer.ts';

export const CLIENT = { upper: 0x10, length: 1 } as const;
export const SERVER = { upper: 1, lower: 17, length: 2 } as const;
export const RESPONSE_MS = 1000;
export const NONE: Uint8Array = new Uint8Array(0);

export const final = (kind: 'RR' | 'RNR' | 'REJ', receive: number): HdlcControl => ({
  kind,
  receive,
  poll: true,
});
export const i = (send: number, receive: number, poll = true): HdlcControl => ({
  kind: 'I',
  send,
  receive,
  poll,
});
export const answer = (text: string): Uint8Array => fromHex(`e6e700${text}`);

/** A client whose meter is played by hand, frame by frame. */
export class HandPlayed {
  readonly link: HdlcClientLink;
  now = 0;
  sent: HdlcControl[] = [];
  readonly told: string[] = [];
  readonly apdus: string[] = [];

  constructor(options: Partial<HdlcClientOptions> = {}) {
    const limits = { responseMs: RESPONSE_MS, interOctetMs: 100, attempts: 3, pollMs: 50 };
    this.link = new HdlcClientLink({ client: CLIENT, server: SERVER, ...limits, ...options });
    this.take(this.link.start(0));
  }

  /** Connected, and asked for something. */
  static asking(options: Partial<HdlcClientOptions> = {}, parameters = NONE): HandPlayed {
    const bench = new HandPlayed(options);
    bench.meter({ kind: 'UA', poll: true }, parameters);
    bench.ask('c001c1');
    bench.sent = [];
    bench.told.length = 0;
    return bench;
  }

  ask(apdu: string): void {
    this.take(this.link.send(fromHex(apdu), this.now));
  }

  meter(control: HdlcControl, information = NONE, segmented = false): void {
    const frame = { segmented, destination: CLIENT, source: SERVER, control, information };
    this.hear(flagged(encodeHdlcFrame(frame)));
  }

  hear(bytes: Uint8Array): void {
    this.take(this.link.receive(bytes, this.now));
  }

  wait(): void {
    this.now = this.link.deadline;
    this.take(this.link.expire(this.now));
  }

  take({ send, events }: Step<ApduLinkMessage>): void {
    for (const bytes of send) this.sent.push(decodeHdlcFrame(bytes.subarray(1, -1)).control);
    for (const event of events) {
      if (event.kind !== 'message') this.told.push(event.failure.code);
      else this.told.push(event.message.kind);
      if (event.kind === 'message' && event.message.kind === 'apdu') {
        this.apdus.push(toHex(event.message.bytes));
      }
    }
  }

  /** What was sent since it was last asked. */
  said(): HdlcControl[] {
    const { sent } = this;
    this.sent = [];
    return sent;
  }
}
