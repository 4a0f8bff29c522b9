// A network namespace of the benchmark's own. It holds nothing but a loopback interface, begins without old connections,
// takes its settings without changing the machine's, and is gone when the last process in it is.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

export const CONGESTION_CONTROL = 'cubic';

/** Client ports; listeners keep below (ports.ts). All of them, for 10,000 connections a second leave many behind. */
const CLIENT_PORTS = '10240\t65535';

export class NamespaceError extends Error {
  readonly code = 'NO_NAMESPACE';
}

const ALLOWED = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';

/** Runs this program again, inside, with `args`; resolves to its exit code. Signals are passed on. */
export async function rerunInside(entry: string, args: readonly string[]): Promise<number> {
  const unshare = ['--net', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'])];
  const trial = spawnSync('unshare', [...unshare, 'true'], { encoding: 'utf8', timeout: 10_000 });
  if (trial.status !== 0) {
    const why = trial.error?.message ?? trial.stderr.trim();
    throw new NamespaceError(
      `cannot make a network namespace (${why}): run it as root, or allow user namespaces to unprivileged users`,
    );
  }
  const restore = allowCongestionControl();
  // The channel tells the inner process when this one is gone, however it went.
  const child = spawn('unshare', [...unshare, '--', process.execPath, entry, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    restore();
  }
}

/**
 * A namespace may choose only what the machine's own list allows, and that list begins with little more than the
 * machine's default. Returns what puts it back as it was.
 */
function allowCongestionControl(): () => void {
  try {
    const before = readFileSync(ALLOWED, 'utf8').trim();
    if (before.split(' ').includes(CONGESTION_CONTROL)) return () => {};
    writeFileSync(ALLOWED, `${before} ${CONGESTION_CONTROL}`);
    return () => writeFileSync(ALLOWED, before);
  } catch {
    // Not root: settleInside tells whether it mattered.
    return () => {};
  }
}

/** Sets the namespace up. Returns what could not be set, one line each. */
export function settleInside(): string[] {
  const up = spawnSync('ip', ['link', 'set', 'lo', 'up'], { encoding: 'utf8', timeout: 10_000 });
  if (up.status !== 0) throw new NamespaceError(`cannot bring loopback up: ${up.error?.message ?? up.stderr.trim()}`);
  const warnings: string[] = [];
  for (const [name, value] of [
    ['net/ipv4/tcp_congestion_control', CONGESTION_CONTROL],
    ['net/ipv4/ip_local_port_range', CLIENT_PORTS],
  ] as const) {
    try {
      writeFileSync(`/proc/sys/${name}`, value);
    } catch (error) {
      warnings.push(`${name.replaceAll('/', '.')} stays as it is: ${error instanceof Error ? error.message : error}`);
    }
  }
  return warnings;
}
