// The machine's network interfaces as paths: their addresses, state and byte counters, from sysfs.

import { readdir, readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { PathReading } from './source.ts';

const NET = '/sys/class/net';
const INTERFACES_MAX = 64;

/** Names that have had an address: they stay in sight when they lose it. Bounded by INTERFACES_MAX. */
const seen = new Set<string>();

/** Every interface but loopback that is a path, or was one while this program ran. */
export async function readPaths(): Promise<PathReading[]> {
  const addresses = networkInterfaces();
  const names = (await readdir(NET)).filter((name) => name !== 'lo').slice(0, INTERFACES_MAX);
  const readings = await Promise.all(
    names.map((name) => readPath(name, addresses[name]?.map((one) => one.address) ?? [])),
  );
  const known = readings.filter((reading) => reading !== undefined);
  for (const { name, addresses: has } of known) if (has.length > 0 && seen.size < INTERFACES_MAX) seen.add(name);
  return known.filter(({ name }) => seen.has(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readPath(name: string, addresses: readonly string[]): Promise<PathReading | undefined> {
  try {
    const [flags, carrier, bytesIn, bytesOut, kind] = await Promise.all([
      readText(name, 'flags'),
      readText(name, 'carrier').catch(() => '0'),
      readText(name, 'statistics/rx_bytes'),
      readText(name, 'statistics/tx_bytes'),
      kindOf(name),
    ]);
    const isUp = (Number(flags) & 1) !== 0;
    const state = isUp ? (carrier === '1' ? 'up' : 'no-carrier') : 'down';
    const shown = addresses.filter((address) => !address.startsWith('fe80:'));
    return { name, addresses: shown, state, kind, bytesIn: Number(bytesIn), bytesOut: Number(bytesOut) };
  } catch {
    // It has gone while we looked.
    return undefined;
  }
}

async function readText(name: string, file: string): Promise<string> {
  return (await readFile(`${NET}/${name}/${file}`, 'utf8')).trim();
}

/** By the kernel's DEVTYPE, else by the usual names (systemd.net-naming-scheme(7)). */
async function kindOf(name: string): Promise<PathReading['kind']> {
  const uevent = await readText(name, 'uevent').catch(() => '');
  const type = /^DEVTYPE=(.*)$/m.exec(uevent)?.[1];
  if (type === 'wlan' || /^wl/.test(name)) return 'wifi';
  if (type === 'wwan' || /^(ww|usb|rmnet)/.test(name)) return 'cellular';
  if (/^(ppp|dsl)/.test(name)) return 'dsl';
  return /^(e(n|th)|br|bond)/.test(name) ? 'ethernet' : 'other';
}
