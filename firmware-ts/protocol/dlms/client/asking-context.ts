import type { Association } from './agreement.ts';
import type { DlmsClientOptions } from './client-options.ts';
import type { ExchangeContext } from './exchange.ts';

/** Confirmed, and normal priority. */
const CONFIRMED = 0x40;
const INVOKE_IDS = 16;

type Agreed = Pick<Association, 'conformance' | 'serverMaxReceivePduSize'>;

const NOTHING_AGREED: Agreed = { conformance: new Set(), serverMaxReceivePduSize: 0 };

/** Numbers the requests of a client, and tells what its association lets them be. */
export class AskingContext {
  readonly #options: DlmsClientOptions;
  #requests = 0;

  constructor(options: DlmsClientOptions) {
    this.#options = options;
  }

  /** Of the requests under this association. */
  under({ conformance, serverMaxReceivePduSize }: Agreed = NOTHING_AGREED): ExchangeContext {
    const most = serverMaxReceivePduSize === 0 ? Infinity : serverMaxReceivePduSize;
    const blocks = conformance.has('generalBlockTransfer');
    const { protection } = this.#options;
    return {
      conformance,
      requestBytesMax: blocks ? Infinity : most - (protection?.overheadBytes ?? 0),
      nextInvokeId: () => this.#nextInvokeId(),
    };
  }

  #nextInvokeId(): number {
    this.#requests += 1;
    const { invokeIdOf } = this.#options;
    return invokeIdOf?.(this.#requests) ?? CONFIRMED | (this.#requests % INVOKE_IDS);
  }
}
