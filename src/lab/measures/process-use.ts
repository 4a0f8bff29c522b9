// What a process uses: CPU time and memory, from /proc.

import { readFileSync } from 'node:fs';

export interface ProcessReading {
  /** In clock ticks since boot; with the number it names one process for good. */
  readonly startTicks: number;
  /** User and system time of all its threads, past ones included, in steps of 10 ms. */
  readonly cpuMs: number;
  readonly residentBytes: number;
  /** The most since the process began. */
  readonly residentBytesMax: number;
}

/** USER_HZ, which is 100 on every architecture that Node.js runs on. */
const TICK_MS = 10;

/** Undefined when there is no such process (any more). */
export function readProcess(pid: number): ProcessReading | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return parseProcess(stat, readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return undefined;
  }
}

/**
 * proc_pid_stat(5): the name, in parentheses, may hold anything; what follows the last one begins with field 3.
 * proc_pid_status(5) has sizes in kB whatever the pages' size; a process that has ended and was not yet waited for has
 * none.
 */
export function parseProcess(stat: string, status: string): ProcessReading {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const bytes = (kilobytes: RegExp): number => Number(kilobytes.exec(status)?.[1] ?? 0) * 1024;
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    startTicks: field(22),
    cpuMs: (field(14) + field(15)) * TICK_MS,
    residentBytes: bytes(/^VmRSS:\s*(\d+) kB$/m),
    residentBytesMax: bytes(/^VmHWM:\s*(\d+) kB$/m),
  };
}
