// Who owns which lab: a file for each under one directory, so that a lab left behind by a killed program can be found,
// and one in use is never touched.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError, LabErrorCode } from './lab-error.ts';

export const STATE_DIRECTORY = '/run/anabranch-lab';
export const NETNS_DIRECTORY = '/run/netns';

/** Every namespace of a lab begins with it. */
const PREFIX = 'anb';

export interface LabRecord {
  readonly id: string;
  readonly topology: string;
  /** The process that built it, by its number and when it started, since numbers are used again. */
  readonly pid: number;
  readonly startTime: string;
  readonly hosts: readonly string[];
  /** Names as `ip netns` knows them. */
  readonly namespaces: readonly string[];
  /** Absolute paths of what it keeps on disk. */
  readonly folders?: readonly string[];
}

export function hostNamespace(id: string, host: string): string {
  return `${PREFIX}-${id}-${host}`;
}

/** Holds the far ends of all links. No host can have this name. */
export function hiddenNamespace(id: string): string {
  return `${PREFIX}-${id}.links`;
}

export function namespacePath(namespace: string): string {
  return join(NETNS_DIRECTORY, namespace);
}

/** When a process began, in clock ticks since boot; undefined when there is none. (Field 22 of proc_pid_stat(5).) */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; what follows the last one is regular, from field 3 on.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Enters a lab; false when its id is taken. */
export function claimLab(record: LabRecord, directory: string): boolean {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    writeFileSync(recordPath(record.id, directory), JSON.stringify(record), { flag: 'wx' });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw error;
    throw new LabError(
      LabErrorCode.missing,
      `cannot write ${directory}: run as root, or in a user namespace (anabranch lab does so by itself where the kernel lets it)`,
    );
  }
}

export function updateRecord(record: LabRecord, directory: string): void {
  const path = recordPath(record.id, directory);
  writeFileSync(`${path}.new`, JSON.stringify(record));
  renameSync(`${path}.new`, path);
}

export function releaseLab(id: string, directory: string): void {
  rmSync(recordPath(id, directory), { force: true });
  rmSync(controlPath(id, directory), { force: true });
}

export function listLabs(directory: string): LabRecord[] {
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      return [JSON.parse(readFileSync(join(directory, name), 'utf8')) as LabRecord];
    } catch {
      return [];
    }
  });
}

export function isAlive({ pid, startTime }: LabRecord): boolean {
  return processStartTime(pid) === startTime;
}

/** Socket over which a running lab takes commands. */
export function controlPath(id: string, directory: string): string {
  return join(directory, `${id}.sock`);
}

export function recordPath(id: string, directory: string): string {
  return join(directory, `${id}.json`);
}

/** Processes with a network namespace among those named, this one excepted. */
export function processesIn(namespaces: readonly string[]): number[] {
  const inodes = new Set(namespaces.flatMap((name) => inodeOf(namespacePath(name))));
  if (inodes.size === 0) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => inodeOf(`/proc/${pid}/ns/net`).some((inode) => inodes.has(inode)))
    .map(Number);
}

function inodeOf(path: string): number[] {
  try {
    return [statSync(path).ino];
  } catch {
    return [];
  }
}
