// The labs that run on this machine, those inside of user namespaces too, and how a program gets into one.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { programPath } from './commands.ts';
import { LabError, LabErrorCode } from './lab-error.ts';
import {
  controlPath,
  hostNamespace,
  isAlive,
  type LabRecord,
  listLabs,
  namespacePath,
  processStartTime,
  recordPath,
  STATE_DIRECTORY,
} from './registry.ts';
import { unknownName } from './unknown-name.ts';

export interface RunningLab {
  readonly record: LabRecord;
  /** Where its control socket is, as seen from here. */
  readonly controlPath: string;
  /** Its process as seen from here, when it has namespaces of its own; undefined for a lab in ours. */
  readonly inside: number | undefined;
  /** Whose it is. */
  readonly uid: number | undefined;
}

/** Every lab whose program runs and whose records this user may read. */
export function findRunningLabs(directory = STATE_DIRECTORY): RunningLab[] {
  const own = listLabs(directory)
    .filter(isAlive)
    .map((record) => ({
      record,
      controlPath: controlPath(record.id, directory),
      inside: undefined,
      uid: ownerOf(recordPath(record.id, directory)),
    }));
  const seen = new Set([identityOf(directory)]);
  const others: RunningLab[] = [];
  for (const [, pids] of processesByMounts()) {
    const there = join(`/proc/${pids[0]}/root`, directory);
    const identity = identityOf(there);
    if (identity === undefined || seen.has(identity)) continue;
    seen.add(identity);
    for (const record of listLabs(there)) {
      const inside = pids.find((pid) => isProcessOf(record, pid));
      if (inside === undefined) continue;
      const path = controlPath(record.id, join(`/proc/${inside}/root`, directory));
      others.push({ record, inside, controlPath: path, uid: ownerOf(`/proc/${inside}`) });
    }
  }
  return [...own, ...others];
}

/**
 * The lab that is meant: the one of this id, or the only one there is; of those of several users, the only one of this
 * user. Throws a LabError.
 */
export function chooseLab(labs: readonly RunningLab[], id: string | undefined, user = process.getuid?.()): RunningLab {
  if (labs.length === 0) throw new LabError(LabErrorCode.missing, 'no lab is running; start one with anabranch lab up');
  const names = (of: readonly RunningLab[]): string => of.map(({ record }) => record.id).join(', ');
  if (id !== undefined) {
    const found = labs.find(({ record }) => record.id === id);
    if (found !== undefined) return found;
    throw new LabError(LabErrorCode.unknownName, `no lab ${id} is running; running are: ${names(labs)}`);
  }
  const mine = labs.filter(({ uid }) => uid === user);
  const meant = mine.length > 0 ? mine : labs;
  if (meant.length === 1) return meant[0]!;
  throw new LabError(
    LabErrorCode.unknownName,
    `several labs are running: say which one with --lab, of: ${names(meant)}`,
  );
}

/** The command that runs `command` on a host of a lab, in the folder `cwd` where the lab has it too. */
export function commandInside(lab: RunningLab, host: string, command: readonly string[], cwd: string): string[] {
  const { id, hosts } = lab.record;
  if (!hosts.includes(host)) throw unknownName('host', host, hosts);
  const nsenter = programPath('nsenter');
  const onHost = [nsenter, `--net=${namespacePath(hostNamespace(id, host))}`, '--', ...command];
  if (lab.inside === undefined) return onHost;
  const stay = ['sh', '-c', 'cd "$0" 2>/dev/null; exec "$@"', cwd];
  // Root of the machine is nobody inside, and must become root there; its user is that already, and may not.
  const credentials = process.getuid?.() === 0 ? [] : ['--preserve-credentials'];
  const { inside } = lab;
  // Nobody may enter a user namespace once more that he is in.
  const kinds = (['user', 'mnt', 'pid'] as const).filter((kind) => !isOurs(kind, inside));
  const into = [
    ...kinds.map((kind) => (kind === 'mnt' ? '--mount' : `--${kind}`)),
    ...credentials,
    `--target=${inside}`,
  ];
  return [nsenter, ...into, '--', ...stay, ...onHost];
}

function isOurs(kind: string, pid: number): boolean {
  return inodeOf(`/proc/${pid}/ns/${kind}`) === inodeOf(`/proc/self/ns/${kind}`);
}

/** Whether a process is the lab's own, which knows itself by another number. (NSpid of proc_pid_status(5).) */
function isProcessOf(record: LabRecord, pid: number): boolean {
  if (processStartTime(pid) !== record.startTime) return false;
  try {
    const numbers = /^NSpid:(.*)$/m
      .exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      ?.trim()
      .split(/\s+/);
    return Number(numbers?.at(-1)) === record.pid;
  } catch {
    return false;
  }
}

/** Processes by their mount namespace, ours left out. Bounded by the processes this user may look into. */
function processesByMounts(): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  const own = inodeOf('/proc/self/ns/mnt');
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const mounts = inodeOf(`/proc/${name}/ns/mnt`);
    if (mounts === undefined || mounts === own) continue;
    const group = groups.get(mounts);
    if (group === undefined) groups.set(mounts, [Number(name)]);
    else group.push(Number(name));
  }
  return groups;
}

function ownerOf(path: string): number | undefined {
  try {
    return statSync(path).uid;
  } catch {
    return undefined;
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
