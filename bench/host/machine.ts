// What the report says of the machine and the run.

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';

export function machineFacts(command: string): [string, string][] {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return [
    ['date', new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC'],
    ['command', `\`${command}\``],
    ['machine', `${availableParallelism()} cores, ${model}, ${gigabytes} GiB`],
    ['kernel', `Linux ${release()}`],
    ['node', process.versions.node],
    ['congestion control', readSysctl('net/ipv4/tcp_congestion_control')],
    ['load before the run', readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ')],
  ];
}

function readSysctl(name: string): string {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
