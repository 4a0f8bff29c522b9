// On what an experiment was run: all that may explain why another machine measures something else.

import { readdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, version } from 'node:os';

export interface Provenance {
  readonly startedAt: string;
  readonly anabranch: string;
  readonly node: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Of the last minute, before the first run. */
  readonly load: number;
  /** Of the machine; the hosts of a lab start from the kernel's own defaults and take what the topology says. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** How to run it again. */
  readonly command: string;
}

/** What of TCP and MPTCP can be tuned and matters to throughput or delay. */
const FOLDERS = ['net/mptcp', 'net/core'] as const;
const SINGLE = [
  'tcp_available_congestion_control',
  'tcp_congestion_control',
  'tcp_rmem',
  'tcp_wmem',
  'tcp_mem',
  'tcp_sack',
  'tcp_timestamps',
  'tcp_window_scaling',
  'tcp_slow_start_after_idle',
  'tcp_notsent_lowat',
  'tcp_limit_output_bytes',
  'tcp_retries2',
  'tcp_early_retrans',
  'tcp_recovery',
  'tcp_no_metrics_save',
].map((name) => `net/ipv4/${name}`);

export function gatherProvenance(anabranchVersion: string, command: string): Provenance {
  return {
    startedAt: new Date().toISOString(),
    anabranch: anabranchVersion,
    node: process.version,
    kernel: `${release()} ${version()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    load: loadavg()[0] ?? 0,
    sysctls: Object.fromEntries(readSysctls()),
    command,
  };
}

function readSysctls(): [string, string][] {
  const names = [...SINGLE, ...FOLDERS.flatMap((folder) => list(folder).map((name) => `${folder}/${name}`))];
  return names.flatMap((name): [string, string][] => {
    try {
      return [[name.replaceAll('/', '.'), readFileSync(`/proc/sys/${name}`, 'utf8').trim().replace(/\s+/g, ' ')]];
    } catch {
      // Not of this kernel, or not for this user.
      return [];
    }
  });
}

function list(folder: string): string[] {
  try {
    return readdirSync(`/proc/sys/${folder}`, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}
