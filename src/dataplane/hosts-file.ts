// /etc/hosts: names that are never asked of a name server. Read again when the file changes; see hosts(5). While it
// cannot be read (no descriptor is left), what was read last holds.

import { existsSync } from 'node:fs';
import { canonicalHost } from '../wire/destination.ts';
import { canonicalIp } from '../wire/ip.ts';
import { createWatchedFile, readTextBounded } from './watched-file.ts';

/** Larger files are read up to here: block lists of many megabytes belong into a name server. */
const HOSTS_BYTES_MAX = 1024 * 1024;

export interface HostsFile {
  /** Addresses in the order of the file, or `undefined` when the file does not name the host. */
  lookup(name: string): readonly string[] | undefined;
}

export function createHostsFile(path: string, now: () => number): HostsFile {
  const file = createWatchedFile(path, now);
  // Bounded by HOSTS_BYTES_MAX.
  let hosts: ReadonlyMap<string, readonly string[]> = new Map();
  return {
    lookup(name) {
      if (file.changed()) {
        const text = readTextBounded(path, HOSTS_BYTES_MAX);
        if (text === undefined && existsSync(path)) file.forget();
        else hosts = parseHosts(text ?? '');
      }
      return hosts.get(name);
    },
  };
}

/** Canonical names to canonical addresses. Lines and names that make no sense are passed over, as getaddrinfo does. */
export function parseHosts(text: string): Map<string, string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [addressText, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const address = canonicalIp(addressText ?? '');
    if (address === undefined) continue;
    for (const nameText of names) {
      const name = canonicalHost(nameText);
      if (name === undefined) continue;
      const addresses = hosts.get(name);
      if (!addresses) hosts.set(name, [address]);
      else if (!addresses.includes(address)) addresses.push(address);
    }
  }
  return hosts;
}
