// Socket options by their meaning. What MPTCP refuses is left out here and built elsewhere; see `SocketOptions`.

import { close } from '../ffi/descriptors.ts';
import { LinuxError } from '../ffi/linux-error.ts';
import { NativeBuffer } from '../ffi/native-buffer.ts';
import { getsockopt, setsockopt, socket } from '../ffi/sockets.ts';
import * as k from './constants.ts';

export interface SocketOptions {
  /** Congestion control by name, for every subflow; `undefined`: the kernel's default. */
  readonly congestion?: string | undefined;
  /** SO_MARK; needs CAP_NET_ADMIN. One value for all subflows of an MPTCP connection. */
  readonly mark?: number | undefined;
  /** SO_BINDTODEVICE. */
  readonly interface?: string | undefined;
  /** Unsent bytes the kernel takes before the socket counts as full. */
  readonly notsentLowat?: number | undefined;
  /**
   * SO_RCVBUF and SO_SNDBUF in bytes, which the kernel doubles for its own needs and then no longer adapts. Beyond
   * net.core.rmem_max and wmem_max only with CAP_NET_ADMIN; without it the kernel cuts them to that, silently.
   */
  readonly receiveBuffer?: number | undefined;
  readonly sendBuffer?: number | undefined;
  /** Seconds of silence before keepalives; 0: none. Three unanswered ones, a third of this apart, end the connection. */
  readonly keepalive?: number | undefined;
  /**
   * Milliseconds that sent data may stay unacknowledged. TCP_USER_TIMEOUT on TCP; MPTCP refuses that option
   * (ENOPROTOOPT), so the data plane watches `last_ack_recv` of MPTCP connections in its stead.
   */
  readonly userTimeout?: number | undefined;
}

const KEEPALIVE_PROBES = 3;
const EOPNOTSUPP = 95;
const ENODEV = 19;
/** IFNAMSIZ (include/uapi/linux/if.h), with its closing NUL. */
const INTERFACE_NAME_MAX = 15;

const value = new NativeBuffer(128);
const valueLength = new NativeBuffer(4);

/** Sets an integer option; returns 0 or −errno. */
export function setInt(fd: number, level: number, name: number, number: number): number {
  value.view.setInt32(0, number, true);
  return setsockopt(fd, level, name, value, 4);
}

/** Reads an integer option; returns it, or −errno (no option here has negative values). */
export function getInt(fd: number, level: number, name: number): number {
  value.view.setInt32(0, 0, true);
  const length = getsockopt(fd, level, name, value, valueLength);
  return length < 0 ? length : value.view.getInt32(0, true);
}

export function setText(fd: number, level: number, name: number, text: string): number {
  const bytes = new TextEncoder().encode(text);
  value.bytes.fill(0, 0, Math.min(bytes.length + 1, value.size));
  value.bytes.set(bytes.subarray(0, value.size - 1));
  return setsockopt(fd, level, name, value, bytes.length + 1);
}

export function getText(fd: number, level: number, name: number): string | undefined {
  const length = getsockopt(fd, level, name, value, valueLength);
  if (length < 0) return undefined;
  const bytes = value.bytes.subarray(0, length);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

let systemCongestion: string | undefined;

/**
 * Looks up the kernel's default congestion control, which then need not be set on each socket. Call now and then: the
 * administrator may change it.
 */
export function refreshSystemCongestion(): void {
  const fd = socket(k.AF_INET, k.SOCK_STREAM | k.SOCK_CLOEXEC, k.IPPROTO_TCP);
  if (fd < 0) return;
  systemCongestion = getText(fd, k.SOL_TCP, k.TCP_CONGESTION);
  close(fd);
}

/** Congestion controls that the kernel has taken. Bounded: configurations name few, and beyond that it begins anew. */
const triedCongestion = new Set<string>();
const TRIED_MAX = 64;

/** An unconnected MPTCP socket takes any name, and its subflows then ignore an unknown one: so ask a TCP socket first. */
function tryCongestion(name: string): void {
  if (triedCongestion.has(name)) return;
  const fd = socket(k.AF_INET, k.SOCK_STREAM | k.SOCK_CLOEXEC, k.IPPROTO_TCP);
  if (fd < 0) return;
  const status = setText(fd, k.SOL_TCP, k.TCP_CONGESTION, name);
  close(fd);
  check(status, `congestion ${name}`);
  if (triedCongestion.size >= TRIED_MAX) triedCongestion.clear();
  triedCongestion.add(name);
}

/**
 * Applies the options a user chose, but for those of `applyLifetimeOptions`. Throws a LinuxError that names the option
 * when the kernel refuses one: an unknown congestion control (ENOENT), an unknown interface (ENODEV), a mark without
 * the capability (EPERM).
 */
export function applyOptions(fd: number, options: SocketOptions): void {
  const { congestion, mark, notsentLowat } = options;
  if (congestion !== undefined && congestion !== systemCongestion) {
    tryCongestion(congestion);
    check(setText(fd, k.SOL_TCP, k.TCP_CONGESTION, congestion), `congestion ${congestion}`);
  }
  if (mark !== undefined) check(setInt(fd, k.SOL_SOCKET, k.SO_MARK, mark), `mark ${mark}`);
  if (options.interface !== undefined) {
    // The kernel looks at the first characters only, and they could be another interface's name.
    const isName = options.interface.length <= INTERFACE_NAME_MAX;
    const status = isName ? setText(fd, k.SOL_SOCKET, k.SO_BINDTODEVICE, options.interface) : -ENODEV;
    check(status, `interface ${options.interface}`);
  }
  const { receiveBuffer, sendBuffer } = options;
  if (receiveBuffer !== undefined) {
    check(setBuffer(fd, k.SO_RCVBUFFORCE, k.SO_RCVBUF, receiveBuffer), `buffer ${receiveBuffer}`);
  }
  if (sendBuffer !== undefined) {
    check(setBuffer(fd, k.SO_SNDBUFFORCE, k.SO_SNDBUF, sendBuffer), `buffer ${sendBuffer}`);
  }
  if (notsentLowat !== undefined) {
    check(setInt(fd, k.SOL_TCP, k.TCP_NOTSENT_LOWAT, notsentLowat), `notsentLowat ${notsentLowat}`);
  }
}

type LifetimeOptions = Pick<SocketOptions, 'keepalive' | 'userTimeout'>;

/**
 * Applies keepalive and userTimeout, which act after many seconds only. Sockets accepted from a listener inherit them;
 * an outgoing connection can be given them once it has lived for a while, as most never do. Throws a LinuxError.
 */
export function applyLifetimeOptions(fd: number, options: LifetimeOptions, isMptcp: boolean): void {
  const { keepalive, userTimeout } = options;
  if (userTimeout !== undefined && userTimeout > 0 && !isMptcp) {
    check(setInt(fd, k.SOL_TCP, k.TCP_USER_TIMEOUT, userTimeout), `userTimeout ${userTimeout}`);
  }
  if (keepalive !== undefined && keepalive > 0) {
    const interval = Math.max(1, Math.round(keepalive / KEEPALIVE_PROBES));
    check(setInt(fd, k.SOL_SOCKET, k.SO_KEEPALIVE, 1), 'keepalive');
    const first = setInt(fd, k.SOL_TCP, k.TCP_KEEPIDLE, keepalive);
    // MPTCP takes the times since Linux 6.10; before, the system's hold (net.ipv4.tcp_keepalive_*).
    if (isMptcp && first === -EOPNOTSUPP) return;
    check(first, `keepalive ${keepalive}`);
    check(setInt(fd, k.SOL_TCP, k.TCP_KEEPINTVL, interval), `keepalive ${keepalive}`);
    check(setInt(fd, k.SOL_TCP, k.TCP_KEEPCNT, KEEPALIVE_PROBES), `keepalive ${keepalive}`);
  }
}

/**
 * `applyLifetimeOptions` for a connection that stands. One that is just going away may refuse them, which nobody needs
 * to know. `isMptcp`: it is MPTCP now; a socket that fell back takes what TCP takes.
 */
export function settleConnection(fd: number, options: LifetimeOptions, isMptcp: boolean): void {
  try {
    applyLifetimeOptions(fd, options, isMptcp);
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
  }
}

/**
 * For the TCP socket of a client without MPTCP that an MPTCP listener accepted: it inherits all but the options that
 * MPTCP keeps to itself (notsentLowat) or does not take (userTimeout).
 */
export function settleAcceptedTcp(
  fd: number,
  { notsentLowat, userTimeout }: Pick<SocketOptions, 'notsentLowat' | 'userTimeout'>,
): void {
  if (notsentLowat !== undefined) setInt(fd, k.SOL_TCP, k.TCP_NOTSENT_LOWAT, notsentLowat);
  if (userTimeout !== undefined && userTimeout > 0) setInt(fd, k.SOL_TCP, k.TCP_USER_TIMEOUT, userTimeout);
}

/** `forced`: whatever the size, with CAP_NET_ADMIN; else `plain`: the kernel cuts it. Returns 0 or −errno. */
export function setBuffer(fd: number, forced: number, plain: number, bytes: number): number {
  const status = setInt(fd, k.SOL_SOCKET, forced, bytes);
  return status < 0 ? setInt(fd, k.SOL_SOCKET, plain, bytes) : status;
}

function check(result: number, option: string): void {
  if (result < 0) throw new LinuxError(-result, 'setsockopt', option);
}

/** Small writes go out at once. Accepted sockets inherit it from their listener. */
export function setNoDelay(fd: number): void {
  setInt(fd, k.SOL_TCP, k.TCP_NODELAY, 1);
}

/** A close after this sends a reset (MP_FASTCLOSE on MPTCP) instead of ending the stream in order. */
export function resetOnClose(fd: number): void {
  value.view.setInt32(0, 1, true);
  value.view.setInt32(4, 0, true);
  setsockopt(fd, k.SOL_SOCKET, k.SO_LINGER, value, 8);
}

/** The pending error of a socket, as a positive errno; 0 for none. */
export function takeError(fd: number): number {
  return getInt(fd, k.SOL_SOCKET, k.SO_ERROR);
}
