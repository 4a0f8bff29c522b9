// Outgoing connections, begun without blocking.

import { close } from '../ffi/descriptors.ts';
import { LinuxError } from '../ffi/linux-error.ts';
import { bind, connect, getsockname, socket } from '../ffi/sockets.ts';
import type { Endpoint } from '../wire/destination.ts';
import * as k from './constants.ts';
import { applyOptions, type SocketOptions, setInt, setNoDelay } from './options.ts';
import { enlargeReceiveBuffer } from './receive-buffer.ts';
import { SockaddrBuffer } from './sockaddr.ts';

export interface ConnectOptions {
  readonly mptcp: boolean;
  /** Local addresses to connect from; the first one of the destination's family is used. */
  readonly sourceAddress: readonly string[];
  readonly socket: SocketOptions;
  /**
   * TCP_FASTOPEN_CONNECT: the SYN waits for the first send and carries it. Only for callers that have bytes to send at
   * once; without them the connection would never be opened.
   */
  readonly fastOpen: boolean;
}

const EINPROGRESS = 115;

const scratch = new SockaddrBuffer();

/**
 * Begins a connection, without the options of `applyLifetimeOptions`; writable means that it stands or failed (see
 * `takeError`). Returns the descriptor, which is the caller's, or −errno when it failed at once. Throws a LinuxError for
 * an option that the kernel refuses, and for a source address that is not ours.
 */
export function beginConnect(address: string, port: number, options: ConnectOptions): number {
  const isV6 = address.includes(':');
  const type = k.SOCK_STREAM | k.SOCK_NONBLOCK | k.SOCK_CLOEXEC;
  const fd = socket(isV6 ? k.AF_INET6 : k.AF_INET, type, options.mptcp ? k.IPPROTO_MPTCP : k.IPPROTO_TCP);
  if (fd < 0) return fd;
  let status: number;
  try {
    setNoDelay(fd);
    if (options.mptcp) enlargeReceiveBuffer(fd);
    applyOptions(fd, options.socket);
    if (options.fastOpen) setInt(fd, k.SOL_TCP, k.TCP_FASTOPEN_CONNECT, 1);
    const from = options.sourceAddress.find((source) => source.includes(':') === isV6);
    if (from !== undefined) {
      // The port is chosen at connect time, by the whole 4-tuple: no shortage at 28,000 connections.
      setInt(fd, k.SOL_IP, k.IP_BIND_ADDRESS_NO_PORT, 1);
      const bound = bind(fd, scratch.address, scratch.write(from, 0));
      if (bound < 0) throw new LinuxError(-bound, 'bind', from);
    }
    status = connect(fd, scratch.address, scratch.write(address, port));
  } catch (error) {
    close(fd);
    throw error;
  }
  if (status < 0 && status !== -EINPROGRESS) {
    close(fd);
    return status;
  }
  return fd;
}

/** Our own address of a connected socket. */
export function localEndpoint(fd: number): Endpoint {
  return getsockname(fd, scratch.address, scratch.length) < 0 ? { address: '0.0.0.0', port: 0 } : scratch.read();
}
