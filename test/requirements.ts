// What a test needs of the machine. Each function gives a reason for node:test's `skip` option, or false when all is
// there: `test('…', { skip: requireRoot() || requireCommands('ip') }, …)`.
// With ANABRANCH_REQUIRE_ALL=1 (set in CI) nothing may be skipped: a missing thing throws instead.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';

type SkipReason = string | false;

export function requireRoot(): SkipReason {
  return process.getuid?.() === 0 ? false : missing('needs root');
}

/** Commands on PATH, or by their whole path; `npm test` adds the sbin directories and, as root, installs the packages that hold them. */
export function requireCommands(...commands: readonly string[]): SkipReason {
  const absent = commands.filter((command) => !commandExists(command));
  return absent.length === 0 ? false : missing(`needs the command ${absent.join(', ')}`);
}

/** Network namespaces of its own: root, with CAP_SYS_ADMIN. */
export function requireNamespaces(): SkipReason {
  const unshare = spawnSync('unshare', ['--net', 'true'], { encoding: 'utf8', timeout: 10_000 });
  return unshare.status === 0 ? false : missing(`needs network namespaces: ${unshare.stderr?.trim() || unshare.error}`);
}

/** A kernel with MPTCP, switched on (net.mptcp.enabled). */
export function requireMptcp(): SkipReason {
  try {
    if (readFileSync('/proc/sys/net/mptcp/enabled', 'utf8').trim() === '1') return false;
    return missing('needs net.mptcp.enabled=1');
  } catch {
    return missing('needs a kernel with MPTCP (CONFIG_MPTCP)');
  }
}

function commandExists(command: string): boolean {
  if (command.startsWith('/')) return isExecutable(command);
  return (process.env.PATH ?? '').split(':').some((directory) => isExecutable(join(directory, command)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function missing(reason: string): string {
  if (process.env.ANABRANCH_REQUIRE_ALL === '1') throw new Error(`${reason}, and nothing may be skipped here`);
  return reason;
}
