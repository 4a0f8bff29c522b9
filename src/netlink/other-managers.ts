// Other programs that set up MPTCP endpoints, so that one can say so. What they set up is told by the marks that it does
// not bear (see marks.ts), and left alone, whether they are found here or not.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface OtherManager {
  readonly name: string;
  readonly pid: number;
}

/** As /proc/PID/comm has them, which is cut after 15 bytes. NetworkManager makes endpoints from version 1.40 on. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['NetworkManager', 'NetworkManager'],
  ['mptcpd', 'mptcpd'],
]);
const FOUND_MAX = 16;

/** Those of our network namespace; and those that we may not look at, which probably are. */
export function findOtherManagers(proc = '/proc'): OtherManager[] {
  const own = namespaceOf(proc, 'self');
  const found: OtherManager[] = [];
  for (const entry of list(proc)) {
    if (!/^\d+$/.test(entry)) continue;
    const name = NAMES.get(read(`${proc}/${entry}/comm`).trim());
    if (name === undefined || found.length >= FOUND_MAX) continue;
    const theirs = namespaceOf(proc, entry);
    if (theirs === undefined || own === undefined || theirs === own) found.push({ name, pid: Number(entry) });
  }
  return found;
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** Processes end while one looks. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function namespaceOf(proc: string, pid: string): string | undefined {
  try {
    return readlinkSync(`${proc}/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}
