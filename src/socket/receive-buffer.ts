// The receive buffer of MPTCP sockets: large from the start.
//
// The kernel grows a receive buffer with the rate at which it is read. For MPTCP that ends badly when a path dies under
// a slow stream: data of the living path waits, out of order, for what the dead one owes; it fills the small buffer;
// and what is sent again over the living path stands behind it in that path's own queue, where nothing more is taken
// from. The connection never moves again (seen on Linux 6.18 with a stream of 4 Mbit/s over 20 + 10 Mbit/s). A buffer
// as large as it could have grown to holds all that the sender may have under way.

import { readFileSync } from 'node:fs';
import { close } from '../ffi/descriptors.ts';
import { socket } from '../ffi/sockets.ts';
import * as k from './constants.ts';
import { getInt, setInt } from './options.ts';

/** Not more than this, whatever the system allows: it is memory that one bad connection may fill. */
const BYTES_MAX = 8 << 20;
/** A fixed buffer below this is worse than a growing one. */
const BYTES_MIN = 1 << 20;

/** What to set, and by which option; `undefined`: leave it to the kernel. */
interface Choice {
  readonly option: number;
  readonly bytes: number;
}

let choice: Choice | undefined | null = null;

/** Call before the socket connects or listens. Sockets accepted from a listener inherit it. */
export function enlargeReceiveBuffer(fd: number): void {
  if (choice === null) choice = choose();
  if (choice !== undefined) setInt(fd, k.SOL_SOCKET, choice.option, choice.bytes);
}

/** Tries on a socket of its own what this process may set: beyond net.core.rmem_max only with CAP_NET_ADMIN. */
function choose(): Choice | undefined {
  // The kernel doubles what is asked for, for its own bookkeeping (socket(7), SO_RCVBUF).
  const bytes = Math.min(largestGrown(), BYTES_MAX) / 2;
  const fd = socket(k.AF_INET, k.SOCK_STREAM | k.SOCK_CLOEXEC, k.IPPROTO_TCP);
  if (fd < 0) return undefined;
  const isForced = setInt(fd, k.SOL_SOCKET, k.SO_RCVBUFFORCE, bytes) >= 0;
  const option = isForced ? k.SO_RCVBUFFORCE : k.SO_RCVBUF;
  if (!isForced) setInt(fd, k.SOL_SOCKET, option, bytes);
  const got = getInt(fd, k.SOL_SOCKET, k.SO_RCVBUF);
  close(fd);
  return got >= Math.min(BYTES_MIN, bytes * 2) ? { option, bytes } : undefined;
}

/** The third figure of net.ipv4.tcp_rmem. */
function largestGrown(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/tcp_rmem', 'utf8').trim().split(/\s+/)[2]) || BYTES_MAX;
  } catch {
    return BYTES_MAX;
  }
}
