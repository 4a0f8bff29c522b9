// A network of the benchmark's own: a lab of one host. It holds nothing but a loopback interface, begins without old
// connections, takes its settings without changing the machine's, and is gone when the benchmark is.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createLab } from '#anabranch/lab/lab.js';
import { LabError } from '#anabranch/lab/lab-error.js';
import { enterUserNamespace, mayMakeNamespaces } from '#anabranch/lab/user-namespace.js';

export const CONGESTION_CONTROL = 'cubic';

/** Client ports; listeners keep below (ports.ts). All of them, for 10,000 connections a second leave many behind. */
const CLIENT_PORTS = '10240\t65535';

export class NamespaceError extends Error {
  readonly code = 'NO_NAMESPACE';
}

const ALLOWED = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';

/**
 * Runs this program again, inside, with `mark` before its `args`; resolves to its exit code. Signals are passed on. An
 * ordinary user's program runs once more between the two, in a user namespace.
 */
export async function rerunInside(entry: string, mark: string, args: readonly string[]): Promise<number> {
  try {
    if (!mayMakeNamespaces()) return await enterUserNamespace([process.execPath, entry, ...args]);
    const restore = allowCongestionControl();
    const lab = await createLab({ name: 'bench', hosts: { bench: {} }, links: {} });
    try {
      return await runIn(lab.host('bench').namespacePath, [process.execPath, entry, mark, ...args]);
    } finally {
      await lab.close();
      restore();
    }
  } catch (error) {
    throw error instanceof LabError ? new NamespaceError(error.message) : error;
  }
}

async function runIn(namespace: string, command: readonly string[]): Promise<number> {
  // The channel tells the inner process when this one is gone, however it went.
  const child = spawn('nsenter', [`--net=${namespace}`, '--', ...command], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
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
