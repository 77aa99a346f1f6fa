import { once } from 'node:events';
import { errorOf } from '#bytes/failure.ts';
import { faultsFrom, faulty } from '#sim/cosem/faults.ts';
import type { MeterDescription } from '#sim/cosem/read-description.ts';
import {
  describedAsYaml,
  meterDescriptionFrom,
  readMeterDescription,
} from '#sim/cosem/read-description.ts';
import type { MeterTold, ServedMeter } from '#sim/cosem/serve-meter.ts';
import { serveMeter } from '#sim/cosem/serve-meter.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { Chance } from '#sim/life/chance.ts';
import { machineClock } from '#system/clock.ts';
import type { Invocation } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { meterVerb } from '../meter/session.ts';
import { placeFrom } from './place.ts';
import { printMeter, printTold } from './view.ts';

/** `normctl sim meter`: ends with Ctrl-C, or when its port cannot be had. */
export const simMeter = meterVerb(async (invocation, terminal) => {
  const { options } = invocation;
  const description = descriptionIn(options);
  if (options['print'] === true) {
    for (const line of describedAsYaml(description).split('\n')) terminal.out(line);
    return EXIT.ok;
  }
  const faults = faultsFrom(String(options['faults']));
  const place = placeFrom(options);
  const clock = machineClock;
  const meter = new SimulatedMeter({ clock, description, counterLeap: faults.counter });
  const link = faulty(place.link, faults, { clock, chance: new Chance(String(options['seed'])) });
  printMeter(terminal, invocation, description);
  const told = (event: MeterTold): void => {
    printTold(terminal, invocation, event, place.reachedBy);
  };
  const served = { meter, link, framing: place.framing, clock };
  try {
    await Promise.race([unplaced(served, told), once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  } finally {
    await link.close();
  }
  return EXIT.ok;
});

/** Rejects if there is no place for the meter; once there was, the link mends itself. */
function unplaced(served: Omit<ServedMeter, 'told'>, told: (event: MeterTold) => void) {
  const { promise, reject } = Promise.withResolvers<never>();
  let stood = false;
  serveMeter({
    ...served,
    told(event) {
      told(event);
      if (event.kind === 'waiting' && !stood) reject(errorOf(event.failure));
      stood = true;
    },
  });
  return promise;
}

/** Errors: `bad-meter`. */
function descriptionIn({ meter }: Invocation['options']): MeterDescription {
  return typeof meter === 'string' ? readMeterDescription(meter) : meterDescriptionFrom('');
}
