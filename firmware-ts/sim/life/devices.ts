import { obisFrom } from '#protocol/cosem/obis.ts';
import { encodeDataNotification } from '#protocol/dlms/data-notification.ts';
import { encodeHdlcFrame } from '#protocol/hdlc/frame.ts';
import { flagged } from '#protocol/hdlc/framer.ts';
import type { Clock } from '#system/clock.ts';
import { startPushMeter } from '../meter.ts';
import { startP1Meter } from '../p1-meter.ts';
import type { Cable } from './cable.ts';
import type { Chance } from './chance.ts';

const PUSH_MS = 3_600_000;
const HOUR_MS = 3_600_000;
const GAS_MS = 4 * HOUR_MS;
const ALARM_PAUSE_MS = 24 * HOUR_MS;

export interface Devices {
  stop(): void;
}

/** A meter that pushes each quarter of an hour, a P1 port read each hour, and rare alarms. */
export function startDevices(
  clock: Clock,
  chance: Chance,
  cables: Readonly<Record<'meter' | 'gas' | 'alarms', Cable>>,
): Devices {
  const meter = startPushMeter({
    clock,
    intervalMs: PUSH_MS,
    write: (bytes) => cables.meter.write(bytes),
  });
  const gas = startP1Meter({
    clock,
    intervalMs: GAS_MS,
    write: (bytes) => cables.gas.write(bytes),
  });
  const alarms = startAlarms(clock, chance, cables.alarms);
  return {
    stop() {
      meter.stop();
      gas.stop();
      alarms.stop();
    },
  };
}

function startAlarms(clock: Clock, chance: Chance, cable: Cable): Devices {
  let sent = 0;
  let cancel = clock.after(chance.wait(ALARM_PAUSE_MS), ring);
  return { stop: () => cancel() };

  function ring(): void {
    cancel = clock.after(1000 + chance.wait(ALARM_PAUSE_MS), ring);
    sent += 1;
    cable.write(alarmFrame(sent));
  }
}

/**
 * The alarm register of a meter (IDIS package 2), what is wrong, as bits, and its alarms so far. It
 * has no clock: the gateway says when that was.
 */
function alarmFrame(number: number): Uint8Array {
  const apdu = encodeDataNotification({
    longInvokeIdAndPriority: number,
    body: {
      type: 'array',
      value: [
        {
          type: 'structure',
          value: [
            { type: 'octet-string', value: obisFrom('0-0:97.98.0*255') },
            { type: 'double-long-unsigned', value: 1 << (number % 16) },
          ],
        },
        {
          type: 'structure',
          value: [
            { type: 'octet-string', value: obisFrom('0-0:97.98.10*255') },
            { type: 'double-long-unsigned', value: number },
          ],
        },
      ],
    },
  });
  const control = { kind: 'UI', poll: true } as const;
  const destination = { upper: 0x20, length: 1 } as const;
  const source = { upper: 1, lower: 17, length: 2 } as const;
  return flagged(
    encodeHdlcFrame({ segmented: false, destination, source, control, information: apdu }),
  );
}
