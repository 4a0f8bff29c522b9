// What the report says of the machine and the run.

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** Of one CPU; an idle machine shows less. */
const BUSY_LOAD = 0.5;

export function machineFacts(command: string): [string, string][] {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    ['date', `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`],
    ['command', `\`${command}\``],
    ['machine', `${availableParallelism()} cores, ${model}, ${gigabytes} GiB`],
    ['kernel', `Linux ${release()}`],
    ['node', process.versions.node],
    ['congestion control', readSysctl('net/ipv4/tcp_congestion_control')],
    [
      'load before the run',
      loadavg()
        .map((load) => load.toFixed(2))
        .join(' '),
    ],
  ];
}

/** What would spoil the figures, one line each. */
export function machineWarnings(): string[] {
  const load = loadavg()[0] as number;
  if (load < BUSY_LOAD) return [];
  return [
    `other programs are at work here (load ${load.toFixed(2)}): their share of the CPU is missing in the figures`,
  ];
}

function readSysctl(name: string): string {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
