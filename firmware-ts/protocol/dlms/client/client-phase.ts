import type { ClientStep } from './client-options.ts';

/** Where a client stands: at a step, or between two. */
export type Phase = ClientStep | 'idle' | 'associated' | 'closing';

/** The step that a failure in this phase is told with. */
export function stepOf(phase: Phase): ClientStep {
  switch (phase) {
    case 'idle':
    case 'opening':
    case 'closing':
      return 'opening';
    case 'associated':
    case 'asking':
      return 'asking';
    default:
      return phase;
  }
}
