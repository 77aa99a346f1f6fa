import { OperatingError } from '#bytes/failure.ts';
import { ACCESS_REQUEST } from '../access.ts';
import { ACTION_REQUEST } from '../action.ts';
import { APDU_TAG } from '../apdu-tags.ts';
import { GET_REQUEST } from '../get.ts';
import { SET_REQUEST } from '../set.ts';
import { READ_REQUEST, UNCONFIRMED_WRITE_REQUEST, WRITE_REQUEST } from '../short-names.ts';
import { servedAccess } from './served-access.ts';
import type { Act } from './served-action.ts';
import { ActionService } from './served-action.ts';
import type { BlockBytesOf } from './served-get.ts';
import { GetService } from './served-get.ts';
import { SetService } from './served-set.ts';
import type { ServedNames } from './served-short-names.ts';
import { ShortNameService } from './served-short-names.ts';
import type { ServerObjects } from './server-objects.ts';

export interface ServicesOptions {
  readonly objects: ServerObjects;
  readonly act: Act;
  /** The longest APDU in clear that the client takes. */
  readonly most: number;
  readonly blockBytesOf?: BlockBytesOf | undefined;
  /** With short names, and only then, READ and WRITE are served. */
  readonly names?: ServedNames | undefined;
}

/** The services of one association: requests in clear, and what answers them. */
export class Services {
  readonly #options: ServicesOptions;
  readonly #get: GetService;
  readonly #set: SetService;
  readonly #action: ActionService;
  readonly #shortNames: ShortNameService | undefined;

  constructor(options: ServicesOptions) {
    const { objects, act, most, blockBytesOf, names } = options;
    this.#options = options;
    this.#get = new GetService(objects, most, blockBytesOf);
    this.#set = new SetService(objects);
    this.#action = new ActionService(act, most);
    this.#shortNames = names && new ShortNameService({ names, objects, act, most });
  }

  /** `undefined` where nothing is to be answered. Errors: `service-unknown`, of the decoders. */
  answer(apdu: Uint8Array): Uint8Array | undefined {
    return this.#shortNames === undefined
      ? this.#byLogicalName(apdu)
      : answeredByShortName(apdu, this.#shortNames);
  }

  #byLogicalName(apdu: Uint8Array): Uint8Array {
    const { objects, act } = this.#options;
    switch (apdu[0]) {
      case APDU_TAG.getRequest:
        return this.#get.answer(GET_REQUEST.decode(apdu));
      case APDU_TAG.setRequest:
        return this.#set.answer(SET_REQUEST.decode(apdu));
      case APDU_TAG.actionRequest:
        return this.#action.answer(ACTION_REQUEST.decode(apdu));
      case APDU_TAG.accessRequest:
        return servedAccess(ACCESS_REQUEST.decode(apdu), objects, act);
      default:
        throw unknownService();
    }
  }
}

function answeredByShortName(apdu: Uint8Array, names: ShortNameService): Uint8Array | undefined {
  switch (apdu[0]) {
    case APDU_TAG.readRequest:
      return names.read(READ_REQUEST.decode(apdu));
    case APDU_TAG.writeRequest:
      return names.write(WRITE_REQUEST.decode(apdu));
    case APDU_TAG.unconfirmedWriteRequest:
      names.write(UNCONFIRMED_WRITE_REQUEST.decode(apdu));
      return undefined;
    default:
      throw unknownService();
  }
}

function unknownService(): OperatingError {
  return new OperatingError('service-unknown', 'a service that is not served', { offset: 0 });
}
