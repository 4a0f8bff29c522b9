// What is recorded beside the workloads: bytes that left each link, counters of the hosts' kernels, what the programs
// used.

import { readFileSync } from 'node:fs';
import type { ByteSeries } from '../../analysis/byte-series.ts';
import type { Lab } from '../lab.ts';
import { monotonicMs } from '../measures/clock.ts';
import { linkKey, type ProcessUse, type RunData } from './figures.ts';
import type { RunningProcess } from './processes.ts';

export interface Recording {
  finish(): Promise<Pick<RunData, 'links' | 'counters' | 'processes'>>;
  /** Ends it without a result; safe to repeat and after `finish`. */
  close(): void;
}

const BIN_MS = 50;
/** USER_HZ: the unit of CPU times in /proc, 100 on every Linux that Node.js runs on. */
const TICK_MS = 10;
const DIRECTIONS = ['up', 'down'] as const;

export async function startRecording(lab: Lab, running: readonly RunningProcess[]): Promise<Recording> {
  const before = await readCounters(lab);
  const usedBefore = new Map(running.map(({ spec, process }) => [spec.name, processUse(process.pid)]));
  const channels = [...lab.links.values()].flatMap((link) =>
    DIRECTIONS.map((direction) => {
      const read = (): number => link.counters(direction).bytesOut;
      return { key: linkKey(link.name, direction), read, last: read(), bytes: [] as number[] };
    }),
  );
  const startMs = Math.ceil(monotonicMs() / BIN_MS) * BIN_MS;
  const sample = (): void => {
    // A late timer leaves several bins to fill: what came in meanwhile is shared out among them.
    const due = Math.floor((monotonicMs() - startMs) / BIN_MS);
    for (const channel of channels) {
      const missing = due - channel.bytes.length;
      if (missing <= 0) continue;
      const now = channel.read();
      for (let i = 0; i < missing; i++) channel.bytes.push((now - channel.last) / missing);
      channel.last = now;
    }
  };
  const timer = setInterval(sample, BIN_MS / 5);
  return {
    async finish() {
      clearInterval(timer);
      sample();
      const after = await readCounters(lab);
      return {
        links: new Map(channels.map(({ key, bytes }): [string, ByteSeries] => [key, { startMs, binMs: BIN_MS, bytes }])),
        counters: new Map([...after].map(([host, counts]) => [host, growth(before.get(host) ?? {}, counts)])),
        processes: new Map(
          running.map(({ spec, process }) => {
            const { cpuMs, memoryBytesMax } = processUse(process.pid);
            return [spec.name, { cpuMs: cpuMs - (usedBefore.get(spec.name)?.cpuMs ?? 0), memoryBytesMax }];
          }),
        ),
      };
    },
    close: () => clearInterval(timer),
  };
}

async function readCounters(lab: Lab): Promise<Map<string, Record<string, number>>> {
  const entries = [...lab.hosts].map(async ([name, host]) => {
    const { stdout } = await host.exec(['cat', '/proc/net/snmp', '/proc/net/netstat']);
    return [name, parseCounters(stdout)] as const;
  });
  return new Map(await Promise.all(entries));
}

/** Pairs of lines, `Tcp: Name Name …` and `Tcp: 1 2 …` (proc_pid_net(5)), as `TcpName`, `TcpExtName`, `MPTcpExtName`. */
export function parseCounters(text: string): Record<string, number> {
  const counters: Record<string, number> = {};
  const lines = text.split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const names = lines[i]!.split(' ');
    const values = lines[i + 1]!.split(' ');
    for (let k = 1; k < names.length; k++) counters[names[0]!.slice(0, -1) + names[k]!] = Number(values[k]);
  }
  return counters;
}

/** Only what grew. */
function growth(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).flatMap(([name, value]) => {
      const grown = value - (before[name] ?? 0);
      return grown > 0 ? [[name, grown]] : [];
    }),
  );
}

function processUse(pid: number): ProcessUse {
  try {
    // The name in parentheses may hold spaces; utime and stime are fields 14 and 15 (proc_pid_stat(5)).
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return { cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, memoryBytesMax: Number(peak ?? 0) * 1_024 };
  } catch {
    return { cpuMs: 0, memoryBytesMax: 0 };
  }
}
