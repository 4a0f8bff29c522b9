// What the kernel says of a test's own sockets.

import { readdirSync, readFileSync } from 'node:fs';
import type { Peer } from './peer.ts';

/**
 * Whether a connection that is still open here exists no more for the kernel, as after a reset; one that ended in order
 * would be in CLOSE_WAIT. For sockets that Node does not read from, and so hears nothing of a reset. IPv4 only.
 */
export function isReset({ socket, ports }: Peer): boolean {
  if (socket.destroyed && socket.errored === null) throw new Error('the test has closed the socket itself');
  const [local, remote] = ports.map((port) => port.toString(16).toUpperCase().padStart(4, '0'));
  const line = new RegExp(`^ *\\d+: [0-9A-F]{8}:${local} [0-9A-F]{8}:${remote} `, 'm');
  return !line.test(readFileSync('/proc/net/tcp', 'latin1'));
}

/** Whether anybody listens on a port, of IPv4 or IPv6. */
export function isListening(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const line = new RegExp(`^ *\\d+: [0-9A-F]+:${hex} [0-9A-F]+:0000 0A `, 'm');
  return ['/proc/net/tcp', '/proc/net/tcp6'].some((path) => line.test(readFileSync(path, 'latin1')));
}

/** Descriptors that a process has open. */
export function openDescriptors(pid: number | 'self' = 'self'): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Seconds of CPU a process has used so far, its own and the kernel's for it. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // proc(5): utime and stime are fields 14 and 15; these begin with the third. A tick is 10 ms everywhere.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Bytes of memory a process has in use (VmRSS). */
export function residentBytes(pid: number | 'self' = 'self'): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kilobytes) * 1024;
}
