// The congestion control of a live connection, and what it begins with.

import { close } from '../ffi/descriptors.ts';
import { socket } from '../ffi/sockets.ts';
import * as k from './constants.ts';
import { setText } from './options.ts';

/**
 * Changes it for all subflows, those to come included. Returns 0 or −errno: −ENOENT for one that the kernel has not,
 * −EPERM for one that it does not allow to everybody (net.ipv4.tcp_allowed_congestion_control).
 */
export function changeCongestion(fd: number, name: string): number {
  return setText(fd, k.SOL_TCP, k.TCP_CONGESTION, name);
}

/** Stands for: chosen while the connection lives, by what it shows. */
export const AUTO = 'auto';

let initial: string | undefined | null = null;

/** What a connection begins with, by its configuration: cubic for `auto`, or the kernel's default where it has none. */
export function initialCongestion(configured: string | undefined): string | undefined {
  if (configured !== AUTO) return configured;
  if (initial === null) initial = tryCongestion('cubic') < 0 ? undefined : 'cubic';
  return initial;
}

/** The same answer without a connection: an MPTCP socket may take a name that its subflows then do not. */
export function tryCongestion(name: string): number {
  const fd = socket(k.AF_INET, k.SOCK_STREAM | k.SOCK_CLOEXEC, k.IPPROTO_TCP);
  if (fd < 0) return fd;
  const status = changeCongestion(fd, name);
  close(fd);
  return status;
}
