import { OperatingError } from '#bytes/failure.ts';
import type { Data } from '../dlms/data.ts';
import type { CosemDateTime } from '../dlms/date-time.ts';
import { dateTimeFrom, encodeDateTime, localSecondOf } from '../dlms/date-time.ts';
import type { Procedure } from '../dlms/procedure.ts';
import { act, get, set } from '../dlms/procedure.ts';

const CLOCK = 8;
const DISCONNECT_CONTROL = 70;
const CLOCK_NAME: Uint8Array = Uint8Array.of(0, 0, 1, 0, 0, 255);
const DISCONNECTOR_NAME: Uint8Array = Uint8Array.of(0, 0, 96, 3, 10, 255);

/** The meter's clock (IEC 62056-6-2, 4.5.1). Errors: those of `get`, `unexpected-type`. */
export function* readClock(logicalName = CLOCK_NAME): Procedure<CosemDateTime> {
  const time = yield* get({ classId: CLOCK, instanceId: logicalName, attributeId: 2 });
  if (time.type === 'octet-string' || time.type === 'date-time') return dateTimeFrom(time.value);
  throw new OperatingError('unexpected-type', `a clock of type ${time.type}`, { field: 'time' });
}

export interface ClockSetting {
  readonly to: CosemDateTime;
  /** A larger step is refused: it would tear the load profile. */
  readonly stepMaxS: number;
  readonly logicalName?: Uint8Array;
}

/**
 * Sets the clock within the stated limit; answers by how many seconds it was wrong. Errors:
 * `clock-step-too-large`, those of the services.
 */
export function* setClock({ to, stepMaxS, logicalName }: ClockSetting): Procedure<number> {
  const shown = yield* readClock(logicalName);
  const step = (localSecondOf(to) ?? NaN) - (localSecondOf(shown) ?? NaN);
  if (!(Math.abs(step) <= stepMaxS)) {
    const size = Number.isNaN(step) ? 'an unknown step' : `a step of ${step} s`;
    throw new OperatingError('clock-step-too-large', `${size}, at most ${stepMaxS} s is allowed`, {
      field: 'time',
      hint: 'allow the step if it is meant; more than a day: normctl meter write clock time',
    });
  }
  const instanceId = logicalName ?? CLOCK_NAME;
  const attribute = { classId: CLOCK, instanceId, attributeId: 2 };
  yield* set({ attribute, data: { type: 'octet-string', value: encodeDateTime(to) } });
  return step;
}

/** control_state of disconnect control (IEC 62056-6-2, 4.5.8). */
const CONTROL_STATES = ['disconnected', 'connected', 'ready-for-reconnection'] as const;

export interface DisconnectorState {
  readonly outputState: boolean;
  readonly controlState: (typeof CONTROL_STATES)[number];
  readonly controlMode: number;
}

export function* readDisconnector(logicalName = DISCONNECTOR_NAME): Procedure<DisconnectorState> {
  const read = (attributeId: number): Procedure<Data> =>
    get({ classId: DISCONNECT_CONTROL, instanceId: logicalName, attributeId });
  const outputState = (yield* read(2)).value === true;
  const controlState = CONTROL_STATES[Number((yield* read(3)).value)];
  const controlMode = Number((yield* read(4)).value);
  if (controlState !== undefined) return { outputState, controlState, controlMode };
  throw new OperatingError('unexpected-type', 'no such control state', { field: 'control-state' });
}

/** A switching that was looked at and may now be done: select before operate. */
export interface SelectedSwitching {
  readonly to: 'disconnected' | 'connected';
  readonly logicalName: Uint8Array;
  /** As it was when it was selected; if it is another when it is operated, nothing is done. */
  readonly found: DisconnectorState;
}

/** Errors: `switching-not-allowed` where the control mode lets nobody do it from afar. */
export function* selectSwitching(
  to: SelectedSwitching['to'],
  logicalName = DISCONNECTOR_NAME,
): Procedure<SelectedSwitching> {
  const found = yield* readDisconnector(logicalName);
  if (found.controlMode !== 0) return { to, logicalName, found };
  throw new OperatingError('switching-not-allowed', 'the meter is always connected by its mode', {
    field: 'control-mode',
    hint: 'a control mode of 1 to 6 lets the disconnector be operated',
  });
}

/**
 * Operates what was selected and looks what came of it. Errors: `selection-outdated` when the state
 * is another than it was selected in, those of the services.
 */
export function* operateSwitching({
  to,
  logicalName,
  found,
}: SelectedSwitching): Procedure<DisconnectorState> {
  const now = yield* readDisconnector(logicalName);
  if (now.controlState !== found.controlState || now.controlMode !== found.controlMode) {
    const message = `it is ${now.controlState} now, and was ${found.controlState}`;
    throw new OperatingError('selection-outdated', message, { hint: 'select it anew' });
  }
  const methodId = to === 'disconnected' ? 1 : 2;
  const method = { classId: DISCONNECT_CONTROL, instanceId: logicalName, methodId };
  yield* act({ method, parameters: { type: 'integer', value: 0 } });
  return yield* readDisconnector(logicalName);
}
