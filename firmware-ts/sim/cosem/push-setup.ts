import { obisFrom } from '#protocol/cosem/obis.ts';
import type { Data } from '#protocol/dlms/data.ts';
import { encodeDataNotification } from '#protocol/dlms/data-notification.ts';
import { dataOfCaptureObject } from '#protocol/dlms/selective-access.ts';
import type { ServerObjects } from '#protocol/dlms/server/server-objects.ts';
import type { CaptureObject } from '#protocol/dlms/service.ts';
import { CLOCK_NAME, DISCONNECTOR_NAME } from '../cosem-objects.ts';
import type { PushDescription } from './description.ts';
import type { SimulatedObject } from './object.ts';
import { array, enumeration, object, octets, structure } from './object.ts';

/** Why a meter pushes. */
export type PushReason = 'interval' | 'alarm';

/** Push setups by their usual names. */
const SETUPS: Readonly<Record<PushReason, string>> = {
  interval: '0-0:25.1.0*255',
  alarm: '0-4:25.9.0*255',
};

export interface PushParts {
  readonly description: PushDescription;
  /** Registers that go with the interval, by OBIS code. */
  readonly registers: readonly string[];
  /** What the pushed values are read from. */
  readonly objects: ServerObjects;
  /** As the client that is told takes it. */
  readonly seal: (apdu: Uint8Array) => Uint8Array;
}

/** What a meter says of its own accord (IEC 62056-6-2, 5.3.8 Push setup). */
export class MeterPush {
  readonly description: PushDescription;
  readonly #parts: PushParts;
  readonly #listeners = new Set<(reason: PushReason) => void>();
  readonly #wanted = { interval: 0, alarm: 0 };
  #said = 0;

  constructor(parts: PushParts) {
    this.description = parts.description;
    this.#parts = parts;
  }

  /** How often it was wanted beside the schedule. */
  wanted(reason: PushReason): number {
    return this.#wanted[reason];
  }

  want(reason: PushReason): void {
    this.#wanted[reason] += 1;
    for (const listener of this.#listeners) listener(reason);
  }

  onWanted(listener: (reason: PushReason) => void): void {
    this.#listeners.add(listener);
  }

  /** A data-notification, with the present values; sealed where its client has keys. */
  apduFor(reason: PushReason): Uint8Array {
    const columns = this.#listOf(reason);
    const list = array(columns.map(dataOfCaptureObject));
    const dateTime = this.#valueOf(columnOf(8, CLOCK_NAME, 2));
    this.#said = (this.#said + 1) & 0xff_ffff;
    return this.#parts.seal(
      encodeDataNotification({
        longInvokeIdAndPriority: this.#said,
        ...(dateTime.type === 'octet-string' ? { dateTime: dateTime.value } : {}),
        body: structure(list, ...columns.slice(1).map((one) => this.#valueOf(one))),
      }),
    );
  }

  /** The push setups, for who asks. */
  setups(): Readonly<Record<string, SimulatedObject>> {
    const reasons = Object.keys(SETUPS) as PushReason[];
    return Object.fromEntries(reasons.map((reason) => [SETUPS[reason], this.#setup(reason)]));
  }

  #setup(reason: PushReason): SimulatedObject {
    const { destination, retries, retrySeconds } = this.description;
    const onLine = destination === 'line';
    return {
      ...object(40, 0, {
        2: array(this.#listOf(reason).map(dataOfCaptureObject)),
        3: structure(
          enumeration(onLine ? TRANSPORT.hdlc : TRANSPORT.tcp),
          octets(Buffer.from(onLine ? '' : destination, 'latin1')),
          enumeration(A_XDR),
        ),
        4: array([]),
        5: { type: 'long-unsigned', value: 0 },
        6: { type: 'unsigned', value: retries },
        7: { type: 'long-unsigned', value: retrySeconds },
      }),
      methods: [1],
      act: (methodId) => {
        if (methodId !== 1) return 'object-undefined';
        this.want(reason);
        return 'success';
      },
    };
  }

  /** The list itself first, so that who gets it knows what the values are of. */
  #listOf(reason: PushReason): readonly CaptureObject[] {
    const self = columnOf(40, SETUPS[reason], 2);
    const clock = columnOf(8, CLOCK_NAME, 2);
    if (reason === 'alarm') return [self, clock, columnOf(70, DISCONNECTOR_NAME, 3)];
    const registers = this.#parts.registers.flatMap((obis) => [
      columnOf(3, obis, 2),
      columnOf(3, obis, 3),
    ]);
    return [self, clock, ...registers];
  }

  #valueOf({ classId, instanceId, attributeId }: CaptureObject): Data {
    const served = this.#parts.objects.get({ classId, instanceId, attributeId });
    return 'data' in served ? served.data : { type: 'null-data', value: null };
  }
}

/** Of send_destination_and_method. */
const TRANSPORT = { tcp: 0, hdlc: 5 } as const;
const A_XDR = 0;

function columnOf(classId: number, obis: string, attributeId: number): CaptureObject {
  return { classId, instanceId: obisFrom(obis), attributeId, dataIndex: 0 };
}
