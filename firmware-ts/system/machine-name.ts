import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

const MACHINE_ID = '/etc/machine-id';

/**
 * Tells this machine from others: machine-id(5) and the host's name, as images are cloned with
 * either. To be digested before it is shown to anybody.
 */
export function machineName(): string {
  return `${machineId()} ${hostname()}`;
}

function machineId(): string {
  try {
    return readFileSync(MACHINE_ID, 'utf8').trim();
  } catch {
    return 'no machine-id';
  }
}
