import type { Failure } from '#bytes/failure.ts';
import type { ApduLink, LineChange } from '../apdu-link.ts';
import type { ServiceAnswer } from '../service.ts';
import type { Association } from './agreement.ts';
import type { AssociationOptions } from './association.ts';
import type { ShortNames } from './short-name-exchange.ts';

export interface DlmsClientOptions extends AssociationOptions {
  readonly link: ApduLink;
  /** An association that stands without AARQ (IEC 62056-5-3, 6.2.4), and what is known of it. */
  readonly preEstablished?: Association;
  /** With short names: where the objects are. */
  readonly shortNames?: ShortNames;
  /** How long nothing may come until the answer is whole; 60 000, and a quarter for an AARQ. */
  readonly answerTimeoutMs?: number;
  /** Blocks of a stream that the server may send before it hears from us. */
  readonly blockWindow?: number;
  /** Invoke-Id-And-Priority of the n-th request, counted from 1, where it is not to count on. */
  readonly invokeIdOf?: (request: number) => number;
}

export type DlmsClientMessage =
  | { readonly kind: 'associated'; readonly association: Association }
  | { readonly kind: 'answered'; readonly answer: ServiceAnswer }
  /** The request came to nothing; the association stands, unless it was associating. */
  | { readonly kind: 'failed'; readonly step: ClientStep; readonly failure: Failure }
  /** What the server said of its own accord, in clear. */
  | { readonly kind: 'notified'; readonly apdu: Uint8Array; readonly verified: boolean }
  | { readonly kind: 'released' }
  /** For whoever owns the line. */
  | LineChange;

/** What the client was at when something failed. */
export type ClientStep = 'opening' | 'associating' | 'authenticating' | 'asking' | 'releasing';
