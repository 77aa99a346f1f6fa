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
import type { PushTold } from '#sim/cosem/tcp-push.ts';
import { TcpPush } from '#sim/cosem/tcp-push.ts';
import { Chance } from '#sim/life/chance.ts';
import { machineClock as clock } from '#system/clock.ts';
import { machineEntropy } from '#system/entropy.ts';
import type { Invocation } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { meterVerb } from '../meter/session.ts';
import { numberIn } from '../meter/usage.ts';
import type { Terminal } from '../terminal.ts';
import { placeFrom } from './place.ts';
import { turnsIn } from './recorded.ts';
import type { SaidIn } from './view.ts';
import { printMeter, printPush, printTold, saidByMeter, saidInLockStep } from './view.ts';

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
  const pushing = pushOf(meter, (told) => printPush(terminal, invocation, told));
  try {
    return await untilInterrupted({ connect, saidIn: saidByMeter }, invocation, terminal);
  } finally {
    await pushing?.stop();
  }
});

/** Pushes that go elsewhere than over the line that the meter is on. */
function pushOf(
  { push, logical }: SimulatedMeter,
  told: (event: PushTold) => void,
): TcpPush | undefined {
  if (push === undefined || push.description.destination === 'line') return undefined;
  return new TcpPush({ push, logical, ports: { clock, entropy: machineEntropy }, told });
}

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

/** Errors: `bad-meter`, `usage`. */
function descriptionIn({ meter, push, pushEvery }: Invocation['options']): MeterDescription {
  const described =
    typeof meter === 'string' ? readMeterDescription(meter) : meterDescriptionFrom('');
  if (typeof push !== 'string') return described;
  const everySeconds = numberIn('--push-every', pushEvery, 1, 86_400);
  const told = { ...PUSH_DEFAULTS, ...described.push, destination: push, everySeconds };
  return meterDescriptionFrom(describedAsYaml({ ...described, push: told }), '--push');
}

const PUSH_DEFAULTS = { client: 1, retries: 3, retrySeconds: 10 } as const;
