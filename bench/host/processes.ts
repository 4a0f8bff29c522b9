// Processes and what they cost, from /proc: a peer counts with all its threads and descendants.

import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ, the unit of times in /proc/PID/stat: 100 on every architecture Linux shows to user space. */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** User and system time of all its threads and of its children that have ended. */
  readonly ticks: number;
}

export function cpuSeconds(root: number): number {
  let ticks = 0;
  for (const stat of family(root)) ticks += stat.ticks;
  return ticks / TICKS_PER_SECOND;
}

/** Proportional set size: memory in RAM, shared pages divided among those who share them. */
export function memoryBytes(root: number): number {
  let kibibytes = 0;
  for (const { pid } of family(root)) {
    const text = readIfThere(`/proc/${pid}/smaps_rollup`);
    kibibytes += Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
  }
  return kibibytes * 1024;
}

export function descriptorCount(root: number): number {
  let count = 0;
  for (const { pid } of family(root)) {
    try {
      count += readdirSync(`/proc/${pid}/fd`).length;
    } catch {
      // It ended in between.
    }
  }
  return count;
}

/** A process and its descendants. */
function family(root: number): Stat[] {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)));
  const members = stats.filter(({ pid }) => pid === root);
  for (const member of members) members.push(...stats.filter(({ parent }) => parent === member.pid));
  return members;
}

function readStat(pid: number): Stat[] {
  const text = readIfThere(`/proc/${pid}/stat`);
  // The name, field 2, is in parentheses and may hold any character. Fields as in proc_pid_stat(5).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 15) return [];
  const field = (number: number): number => Number(fields[number - 3]);
  return [{ pid, parent: field(4), ticks: field(14) + field(15) + field(16) + field(17) }];
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
