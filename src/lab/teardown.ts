// Takes a lab apart: its processes, its namespaces (and with them every device), its folders, its record. Also for `exit` handlers,
// so everything here is synchronous.

import { existsSync, rmSync } from 'node:fs';
import { runCommandSync } from './commands.ts';
import {
  isAlive,
  type LabRecord,
  listLabs,
  namespacePath,
  processesIn,
  releaseLab,
  STATE_DIRECTORY,
} from './registry.ts';

/** A process may fork while it is being looked for. */
const KILL_ROUNDS = 5;

/** Leaves nothing; safe to repeat. */
export function tearDown(record: LabRecord, directory: string): void {
  for (let round = 0; round < KILL_ROUNDS; round++) {
    const pids = processesIn(record.namespaces);
    if (pids.length === 0) break;
    for (const pid of pids) kill(pid);
  }
  const left = record.namespaces.filter((name) => existsSync(namespacePath(name)));
  if (left.length > 0) {
    runCommandSync(['ip', '-force', '-batch', '-'], left.map((name) => `netns delete ${name}\n`).join(''));
  }
  for (const folder of record.folders ?? []) removeFolder(folder);
  // While a namespace is left, so is the record that lets it be found again.
  if (record.namespaces.every((name) => !existsSync(namespacePath(name)))) releaseLab(record.id, directory);
}

function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // On a disk that has become read-only, for instance: namespaces matter more.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/** Removes what killed programs left behind; returns the ids. Labs in use are left alone. */
export function cleanLabs(directory = STATE_DIRECTORY): string[] {
  const dead = listLabs(directory).filter((record) => !isAlive(record));
  for (const record of dead) tearDown(record, directory);
  return dead.map(({ id }) => id);
}
