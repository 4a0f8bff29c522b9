// Listening sockets, MPTCP where the kernel has it.

import { close } from '../ffi/descriptors.ts';
import { LinuxError, orThrow } from '../ffi/linux-error.ts';
import { bind, getsockname, listen, socket } from '../ffi/sockets.ts';
import type { Endpoint } from '../wire/destination.ts';
import { formatHostPort } from '../wire/destination.ts';
import * as k from './constants.ts';
import { probeMptcp } from './mptcp.ts';
import { applyLifetimeOptions, applyOptions, type SocketOptions, setInt, setNoDelay } from './options.ts';
import { enlargeReceiveBuffer } from './receive-buffer.ts';
import { SockaddrBuffer } from './sockaddr.ts';

export interface Listener {
  readonly fd: number;
  readonly isMptcp: boolean;
  /** With the port the kernel chose when 0 was asked for. */
  readonly local: Endpoint;
}

export interface ListenOptions {
  readonly address: string;
  readonly port: number;
  readonly transport: 'auto' | 'tcp' | 'mptcp';
  /** Several sockets of ours may share the port (SO_REUSEPORT): one a thread, and those of before and after a reload. */
  readonly shared: boolean;
  readonly fastOpen: boolean;
  readonly socket: SocketOptions;
}

/** Connections the kernel may hold for us; it cuts this to net.core.somaxconn. */
const BACKLOG = 4096;
const FAST_OPEN_QUEUE = 256;

const scratch = new SockaddrBuffer();

/**
 * Opens a non-blocking listening socket. `::` takes IPv4 too. Throws a LinuxError (EADDRINUSE, EACCES for a port
 * below 1024 without the right, EADDRNOTAVAIL) that names the address; `mptcp` throws where the kernel has none.
 */
export function openListener(options: ListenOptions): Listener {
  const { address, port, transport } = options;
  const isMptcp = transport !== 'tcp' && (transport === 'mptcp' || probeMptcp().available);
  const where = formatHostPort(address, port);
  const isV6 = address.includes(':');
  const type = k.SOCK_STREAM | k.SOCK_NONBLOCK | k.SOCK_CLOEXEC;
  const protocol = isMptcp ? k.IPPROTO_MPTCP : k.IPPROTO_TCP;
  const fd = orThrow(socket(isV6 ? k.AF_INET6 : k.AF_INET, type, protocol), 'socket', where);
  try {
    orThrow(setInt(fd, k.SOL_SOCKET, k.SO_REUSEADDR, 1), 'setsockopt', where);
    if (options.shared) orThrow(setInt(fd, k.SOL_SOCKET, k.SO_REUSEPORT, 1), 'setsockopt', where);
    if (isV6) setInt(fd, k.SOL_IPV6, k.IPV6_V6ONLY, address === '::' ? 0 : 1);
    setNoDelay(fd);
    if (isMptcp) enlargeReceiveBuffer(fd);
    applyOptions(fd, options.socket);
    applyLifetimeOptions(fd, options.socket, isMptcp);
    if (options.fastOpen) {
      orThrow(setInt(fd, k.SOL_TCP, k.TCP_FASTOPEN, FAST_OPEN_QUEUE), 'setsockopt', `fastOpen ${where}`);
    }
    orThrow(bind(fd, scratch.address, scratch.write(address, port)), 'bind', where);
    orThrow(listen(fd, BACKLOG), 'listen', where);
    orThrow(getsockname(fd, scratch.address, scratch.length), 'getsockname', where);
    return { fd, isMptcp, local: scratch.read() };
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** Throws a LinuxError (EADDRINUSE) when somebody listens at the address, even one who would share it. */
export function expectFree(address: string, port: number): void {
  const where = formatHostPort(address, port);
  const isV6 = address.includes(':');
  const fd = orThrow(
    socket(isV6 ? k.AF_INET6 : k.AF_INET, k.SOCK_STREAM | k.SOCK_CLOEXEC, k.IPPROTO_TCP),
    'socket',
    where,
  );
  try {
    // Connections that linger do not count.
    orThrow(setInt(fd, k.SOL_SOCKET, k.SO_REUSEADDR, 1), 'setsockopt', where);
    if (isV6) setInt(fd, k.SOL_IPV6, k.IPV6_V6ONLY, address === '::' ? 0 : 1);
    orThrow(bind(fd, scratch.address, scratch.write(address, port)), 'bind', where);
  } finally {
    close(fd);
  }
}

/** True for errors that `openListener` throws on purpose, so that callers can tell them from programming errors. */
export function isListenError(error: unknown): error is LinuxError {
  return error instanceof LinuxError;
}
