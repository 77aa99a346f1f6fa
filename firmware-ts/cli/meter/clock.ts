import { offsetMinOf } from '#acquisition/meter-local-time.ts';
import { OperatingError } from '#bytes/failure.ts';
import { shownLike } from '#protocol/cosem/local-time.ts';
import { readClock, setClock } from '#protocol/cosem/operate.ts';
import { dateTimeText } from '#protocol/dlms/date-time.ts';
import { machineClock } from '#system/clock.ts';
import { openTimeZone } from '#system/time-zone.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import { numberIn } from './usage.ts';
import { meterVerb, withMeter } from './session.ts';

const DAY_S = 86_400;

/** `normctl meter clock [--set [--time-zone NAME]]` */
export const meterClock = meterVerb(async (invocation, terminal) => {
  const setting = invocation.options['set'] === true;
  const stepMaxS = numberIn('--step-max', invocation.options['stepMax'], 0, DAY_S);
  const { timeZone } = invocation.options;
  const zone = typeof timeZone === 'string' ? openTimeZone(timeZone) : undefined;
  const seen = await withMeter(invocation, terminal, async (meter) => {
    const shown = await meter.run(readClock());
    if (!setting) return { shown };
    const offsetMin = await offsetMinOf(meter, shown, zone);
    if (offsetMin === undefined) throw clockUnknown();
    const to = shownLike(shown, machineClock.wall().second, offsetMin);
    const steppedS = await meter.run(setClock({ to, stepMaxS }));
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

/** To guess would set it wrong by hours. */
function clockUnknown(): OperatingError {
  const message = 'the meter does not show how its time stands to UTC';
  return new OperatingError('meter-clock-unknown', message, {
    field: 'time',
    hint: 'say the time zone that it shows: --time-zone Europe/Amsterdam',
  });
}
