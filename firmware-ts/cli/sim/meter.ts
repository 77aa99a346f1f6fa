import type { Connection } from '#protocol/connection.ts';
import { LockStep } from '#protocol/lock-step.ts';
import type { Faults } from '#sim/cosem/faults.ts';
import { faultsFrom, faulty } from '#sim/cosem/faults.ts';
import type { MeterDescription } from '#sim/cosem/read-description.ts';
import {
  describedAsYaml,
  meterDescriptionFrom,
  readMeterDescription,
} from '#sim/cosem/read-description.ts';
import type { ServedTold } from '#sim/cosem/serve.ts';
import { serve } from '#sim/cosem/serve.ts';
import type { MeterFraming } from '#sim/cosem/simulated-meter.ts';
import { SimulatedMeter } from '#sim/cosem/simulated-meter.ts';
import { Chance } from '#sim/life/chance.ts';
import { machineClock as clock } from '#system/clock.ts';
import type { Invocation } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { meterVerb } from '../meter/session.ts';
import type { Terminal } from '../terminal.ts';
import { placeFrom } from './place.ts';
import { turnsIn } from './recorded.ts';
import type { SaidIn } from './view.ts';
import { printMeter, printTold, saidByMeter, saidInLockStep } from './view.ts';

/** `normctl sim meter`: ends with Ctrl-C, or when its port cannot be had. */
export const simMeter = meterVerb(async (invocation, terminal) => {
  const { options } = invocation;
  if (typeof options['replay'] === 'string') {
    const turns = turnsIn(options['replay']);
    const connect = (): LockStep => new LockStep(turns, 'server');
    return untilInterrupted({ connect, saidIn: saidInLockStep }, invocation, terminal);
  }
  const description = descriptionIn(options);
  if (options['print'] === true) {
    for (const line of describedAsYaml(description).split('\n')) terminal.out(line);
    return EXIT.ok;
  }
  const { counter } = faultsIn(options);
  const meter = new SimulatedMeter({ clock, description, counterLeap: counter });
  const connect = (framing: MeterFraming) => meter.connection(framing);
  printMeter(terminal, invocation, description);
  return untilInterrupted({ connect, saidIn: saidByMeter }, invocation, terminal);
});

interface Simulated<Message> {
  readonly connect: (framing: MeterFraming) => Connection<Message>;
  readonly saidIn: SaidIn<Message>;
}

async function untilInterrupted<Message>(
  { connect, saidIn }: Simulated<Message>,
  invocation: Invocation,
  terminal: Terminal,
): Promise<ExitCode> {
  const { options } = invocation;
  const { link: line, framing, reachedBy } = placeFrom(options);
  const chance = new Chance(String(options['seed']));
  const link = faulty(line, faultsIn(options), { clock, chance });
  const told = (event: ServedTold<Message>): void => {
    printTold(terminal, invocation, { told: event, reachedBy, saidIn });
  };
  const interrupted = interruption();
  try {
    await serve({ link, connect: () => connect(framing), clock, told });
    await interrupted;
  } finally {
    await link.close();
  }
  return EXIT.ok;
}

/** A second signal ends nothing: npm hands on what its child was sent, too. */
function interruption(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  });
}

/** Errors: `usage`. */
function faultsIn({ faults }: Invocation['options']): Faults {
  return faultsFrom(String(faults));
}

/** Errors: `bad-meter`. */
function descriptionIn({ meter }: Invocation['options']): MeterDescription {
  return typeof meter === 'string' ? readMeterDescription(meter) : meterDescriptionFrom('');
}
