// The machine's network interfaces as paths: their addresses, state and byte counters, in the network namespace we run in.

import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { interfaceState } from '../socket/interface-state.ts';
import type { PathReading } from './source.ts';

const PATHS_MAX = 64;

/** Names that have had an address: they stay in sight when they lose it. Bounded by PATHS_MAX. */
const seen = new Set<string>();

/** Every interface but loopback that is a path, or was one while this program ran. */
export async function readPaths(): Promise<PathReading[]> {
  const counters = parseCounters(await readFile('/proc/self/net/dev', 'utf8'));
  const addresses = networkInterfaces();
  for (const name of Object.keys(addresses)) if (name !== 'lo' && seen.size < PATHS_MAX) seen.add(name);
  return [...seen].sort().flatMap((name) => {
    const counter = counters.get(name);
    const state = interfaceState(name);
    if (counter === undefined || state === 'gone') return [];
    const shown = (addresses[name] ?? [])
      .map(({ address }) => address)
      .filter((address) => !address.startsWith('fe80:'));
    return [{ name, addresses: shown, state, kind: kindOf(name), ...counter }];
  });
}

/** proc_pid_net(5): two heading lines, then `name: bytes packets … (8 figures) bytes packets …`. */
export function parseCounters(text: string): Map<string, Pick<PathReading, 'bytesIn' | 'bytesOut'>> {
  const lines = text.split('\n').slice(2);
  return new Map(
    lines.flatMap((line): [string, Pick<PathReading, 'bytesIn' | 'bytesOut'>][] => {
      const match = /^\s*(.+):\s*(\d.*)$/.exec(line);
      const figures = match?.[2]?.trim().split(/\s+/).map(Number) ?? [];
      if (match?.[1] === undefined || figures.length < 9) return [];
      return [[match[1], { bytesIn: figures[0] as number, bytesOut: figures[8] as number }]];
    }),
  );
}

/** By the usual names (systemd.net-naming-scheme(7)). */
function kindOf(name: string): PathReading['kind'] {
  if (/^(wl|wifi)/.test(name)) return 'wifi';
  if (/^(ww|usb|rmnet|cellular|lte)/.test(name)) return 'cellular';
  if (/^(ppp|dsl)/.test(name)) return 'dsl';
  return /^(e(n|th)|br|bond)/.test(name) ? 'ethernet' : 'other';
}
