import type { Clock } from '#system/clock.ts';
import type { SimulatedBackend } from './backend.ts';
import type { ScriptedBroker } from './broker.ts';
import type { Chance } from './chance.ts';
import type { Wish } from './configuration.ts';

const MINUTE_MS = 60_000;
/** Between something new and the receipt for it. */
const RECEIPT_MS = { least: MINUTE_MS, most: 20 * MINUTE_MS } as const;
const TOPIC = 'nd/1/gw-1/rc';
/** Of so many messages in order, where receipts would tell of it. */
const LOSSES = 0.02;

export interface ReceiptDeskParts {
  readonly backend: SimulatedBackend;
  /** Its own. */
  readonly brokers: () => readonly ScriptedBroker[];
  readonly clock: Clock;
  readonly chance: Chance;
  readonly disk: { readonly freeBytes: number };
  /** What the process runs with, if it runs. */
  readonly wish: () => Wish | undefined;
}

/** Where the messages of one back-end are filed, or lost, and its receipts are written. */
export class ReceiptDesk {
  readonly #parts: ReceiptDeskParts;
  #writing = false;

  constructor(parts: ReceiptDeskParts) {
    this.#parts = parts;
  }

  took(topic: string, payload: Uint8Array): void {
    const { backend } = this.#parts;
    if (this.#isLost(topic)) backend.loses(topic, payload);
    else backend.took(topic, payload);
    this.#writeLater();
  }

  /** Only what a receipt brings again; a full disk drops first what waits for one. */
  #isLost(topic: string): boolean {
    const { backend, chance, disk, wish } = this.#parts;
    if (!topic.includes('/up/') || disk.freeBytes < Infinity) return false;
    return wish()?.receipts.includes(backend.name) === true && chance.happens(LOSSES);
  }

  #writeLater(): void {
    if (this.#writing) return;
    this.#writing = true;
    const { backend, brokers, clock, chance } = this.#parts;
    clock.after(chance.between(RECEIPT_MS.least, RECEIPT_MS.most), () => {
      this.#writing = false;
      const receipt = new TextEncoder().encode(backend.receipt());
      for (const broker of brokers()) broker.say(TOPIC, receipt);
    });
  }
}
