import type { MeterSession } from '#acquisition/meter-session.ts';
import { OperatingError } from '#bytes/failure.ts';
import type { DisconnectorState, SelectedSwitching } from '#protocol/cosem/operate.ts';
import { operateSwitching, readDisconnector, selectSwitching } from '#protocol/cosem/operate.ts';
import type { Invocation } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT } from '../exit-codes.ts';
import { printData } from '../report.ts';
import type { Terminal } from '../terminal.ts';
import { meterVerb, withMeter } from './session.ts';

/** `normctl meter disconnect [--to STATE]`: select before operate, then a look at the result. */
export const meterDisconnect = meterVerb(async (invocation, terminal) => {
  const { to } = invocation.options;
  const state = await withMeter(invocation, terminal, (meter) =>
    to === 'disconnected' || to === 'connected'
      ? switchTo(to, meter, invocation, terminal)
      : meter.run(readDisconnector()),
  );
  if (invocation.json) printData(terminal, invocation, state);
  else terminal.out(stateText(state));
  return EXIT.ok;
});

type Target = SelectedSwitching['to'];

/** Errors: those of selecting and operating, `switching-not-done`. */
async function switchTo(
  to: Target,
  meter: MeterSession,
  invocation: Invocation,
  terminal: Terminal,
): Promise<DisconnectorState> {
  const selected = await meter.run(selectSwitching(to));
  terminal.err(`it is ${stateText(selected.found)}`);
  await confirm(`Switch it to ${to}?`, invocation, terminal);
  const state = await meter.run(operateSwitching(selected));
  if (hasCome(to, state)) return state;
  throw new OperatingError('switching-not-done', `it is ${stateText(state)} after all`, {
    field: 'control-state',
    hint: `control mode ${state.controlMode} may not allow it; look at the meter`,
  });
}

/** Some control modes leave the last step to somebody at the meter (IEC 62056-6-2, 4.5.8). */
function hasCome(to: Target, { controlState }: DisconnectorState): boolean {
  return controlState === to || (to === 'connected' && controlState === 'ready-for-reconnection');
}

function stateText({ controlState, outputState, controlMode }: DisconnectorState): string {
  const output = outputState ? 'closed' : 'open';
  return `${controlState}  output ${output}, control mode ${controlMode}`;
}
