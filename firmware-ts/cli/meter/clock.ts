import { shownLike } from '#protocol/cosem/local-time.ts';
import { readClock, setClock } from '#protocol/cosem/operate.ts';
import type { CosemDateTime } from '#protocol/dlms/date-time.ts';
import { dateTimeText } from '#protocol/dlms/date-time.ts';
import { machineClock } from '#system/clock.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import { numberIn } from './usage.ts';
import { meterVerb, withMeter } from './session.ts';

const DAY_S = 86_400;

/** `normctl meter clock [--set]` */
export const meterClock = meterVerb(async (invocation, terminal) => {
  const setting = invocation.options['set'] === true;
  const stepMaxS = numberIn('--step-max', invocation.options['stepMax'], 0, DAY_S);
  const seen = await withMeter(invocation, async (meter) => {
    const shown = await meter.run(readClock());
    if (!setting) return { shown };
    const steppedS = await meter.run(setClock({ to: nowLike(shown), stepMaxS }));
    return { shown: await meter.run(readClock()), steppedS };
  });
  const time = dateTimeText(seen.shown);
  const stepped = seen.steppedS === undefined ? {} : { steppedS: seen.steppedS };
  if (invocation.json) {
    printData(terminal, invocation, { time, clockStatus: seen.shown.clockStatus, ...stepped });
  } else {
    const by = seen.steppedS === undefined ? '' : `  set, it was wrong by ${seen.steppedS} s`;
    terminal.out(`${time}${by}`);
  }
  return EXIT.ok;
});

/** This machine's time, as this meter shows times. */
function nowLike(shown: CosemDateTime): CosemDateTime {
  return shownLike(shown, machineClock.wall().second, 0 - (shown.deviation ?? 0));
}
