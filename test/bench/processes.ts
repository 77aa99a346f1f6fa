import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Clock ticks in a second, as Linux shows them to processes on every architecture. */
const TICKS_PER_SECOND = 100;

/** Resident memory in MiB, as /proc has it. */
export function residentMiB(child: ChildProcess): number {
  return Number(/VmRSS:\s+(\d+)/.exec(procFile(child, 'status'))?.[1]) / 1024;
}

/** Octets that the process has handed to write calls, of files and sockets. */
export function writtenBytes(child: ChildProcess): number {
  return Number(/wchar: (\d+)/.exec(procFile(child, 'io'))?.[1]);
}

/** Time that the process has had on a core, all threads and the kernel's work for it. */
export function cpuSeconds(child: ChildProcess): number {
  const stat = procFile(child, 'stat');
  // The name of the program may hold spaces; it ends with the last parenthesis (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function procFile(child: ChildProcess, name: string): string {
  return readFileSync(`/proc/${String(child.pid)}/${name}`, 'utf8');
}
