// Asks a program for its version.

import { spawnSync } from 'node:child_process';

/** The first line that holds a version number, or undefined when the program is not there. */
export function versionOf(command: string, args: readonly string[]): string | undefined {
  const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 10_000 });
  if (error !== undefined) return undefined;
  const lines = `${stdout}\n${stderr}`.split('\n');
  return /\d+\.\d+[\w.+~-]*/.exec(lines.find((line) => /\d\.\d/.test(line)) ?? '')?.[0] ?? 'unknown version';
}

/** What Debian's package manager says of a package; `unknown version` where there is no such manager. */
export function packageVersion(name: string): string {
  return versionOf('dpkg-query', ['-W', name]) ?? 'unknown version';
}
