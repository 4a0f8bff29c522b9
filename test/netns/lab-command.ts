// The command line of the lab, for tests: runs it, and brings labs up that stay.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { NETNS_DIRECTORY, STATE_DIRECTORY } from '#anabranch/lab/registry.js';

export const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `as` comes before the command: another user, other namespaces. */
export function runLab(args: readonly string[], as: readonly string[] = [], input = ''): Outcome {
  const [program = '', ...rest] = [...as, process.execPath, MAIN, 'lab', ...args];
  const { status, stdout, stderr } = spawnSync(program, rest, { input, encoding: 'utf8', timeout: 60_000 });
  return { code: status, out: stdout, err: stderr };
}

/** Starts a lab that stays; resolves with what it says of itself. */
export async function bringUp(
  args: readonly string[],
  as: readonly string[] = [],
): Promise<{ child: ChildProcessWithoutNullStreams; facts: { id: string; driver: string } }> {
  const child = startUp(args, as);
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const [line] = (await Promise.race([once(child.stdout.setEncoding('utf8'), 'data'), once(child, 'exit')])) as [
    unknown,
  ];
  if (typeof line !== 'string') throw new Error(`lab up ended: ${err}`);
  return { child, facts: JSON.parse(line) };
}

export function startUp(args: readonly string[], as: readonly string[] = []): ChildProcessWithoutNullStreams {
  const [program = '', ...rest] = [...as, process.execPath, MAIN, 'lab', 'up', ...args, '--json'];
  // A process group of its own, as a shell gives it one.
  return spawn(program, rest, { detached: true });
}

/** An ordinary user who can read the checkout: its owner, or nobody where that is root. */
export function asOrdinaryUser(): readonly string[] {
  if (process.getuid?.() !== 0) return [];
  const { uid, gid } = statSync(MAIN);
  const [user, group] = uid === 0 ? [65_534, 65_534] : [uid, gid];
  return ['setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups', '--'];
}

/** Names of a lab's namespaces and records, and the command lines of processes that name it. */
export function leftOf(id: string): string[] {
  return [
    ...namesIn(NETNS_DIRECTORY).filter((name) => name.startsWith(`anb-${id}-`) || name === `anb-${id}.links`),
    ...namesIn(STATE_DIRECTORY).filter((name) => name.startsWith(`${id}.`)),
    ...namesIn('/proc').flatMap((pid) => {
      const command = /^\d+$/.test(pid) ? commandLine(pid) : '';
      return command.split('\0').includes(id) || command.includes(`/anb-${id}-`) ? [command.replaceAll('\0', ' ')] : [];
    }),
  ];
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** NULs and all; empty when there is no such process. */
export function commandLine(pid: string | number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
