// The send buffer of live connections.

import { close } from '../ffi/descriptors.ts';
import { socket } from '../ffi/sockets.ts';
import * as k from './constants.ts';
import { getInt, setBuffer } from './options.ts';

/** What a connection begins with, by its configuration: the kernel's choice for `auto`. */
export function initialSendBuffer(configured: number | 'auto' | undefined): number | undefined {
  // The kernel doubles what is asked for.
  return typeof configured === 'number' ? Math.ceil(configured / 2) : undefined;
}

/** Asked for to find out what is allowed. */
const BYTES_MOST = 64 << 20;

let most: number | undefined;

/**
 * What this process may set, in bytes of the kernel's count: twice net.core.wmem_max, or anything with CAP_NET_ADMIN.
 * A buffer that has once been set stays as it is: the kernel does not let it grow by itself again.
 */
export function largestSendBuffer(): number {
  if (most !== undefined) return most;
  const fd = socket(k.AF_INET, k.SOCK_STREAM | k.SOCK_CLOEXEC, k.IPPROTO_TCP);
  if (fd < 0) return 0;
  setSendBuffer(fd, BYTES_MOST);
  most = sendBufferOf(fd);
  close(fd);
  return most;
}

/** In bytes of the kernel's count. */
export function sendBufferOf(fd: number): number {
  return getInt(fd, k.SOL_SOCKET, k.SO_SNDBUF);
}

/**
 * In bytes of the kernel's count, its bookkeeping included (sk_sndbuf). An MPTCP connection may hold so much until the
 * peer has it, and hand each of its subflows as much.
 */
export function setSendBuffer(fd: number, bytes: number): void {
  // The kernel doubles what is asked for, for its own bookkeeping (socket(7), SO_SNDBUF).
  setBuffer(fd, k.SO_SNDBUFFORCE, k.SO_SNDBUF, Math.ceil(bytes / 2));
}
