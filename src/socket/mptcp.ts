// Does this kernel speak MPTCP, and does this connection?

import { close } from '../ffi/descriptors.ts';
import { errnoName } from '../ffi/linux-error.ts';
import { NativeBuffer } from '../ffi/native-buffer.ts';
import { getsockopt, socket } from '../ffi/sockets.ts';
import * as k from './constants.ts';
import { getInt } from './options.ts';

export interface MptcpSupport {
  readonly available: boolean;
  /** In a few words, with what mends it where something does. */
  readonly detail: string;
}

let support: MptcpSupport | undefined;

/** Asks the kernel for an MPTCP socket; the answer holds for the life of the process. */
export function probeMptcp(): MptcpSupport {
  support ??= probe();
  return support;
}

function probe(): MptcpSupport {
  const fd = socket(k.AF_INET, k.SOCK_STREAM | k.SOCK_CLOEXEC, k.IPPROTO_MPTCP);
  if (fd >= 0) {
    close(fd);
    return { available: true, detail: 'MPTCP is available' };
  }
  const code = errnoName(-fd);
  if (code === 'ENOPROTOOPT') {
    return { available: false, detail: 'MPTCP is switched off here: sysctl -w net.mptcp.enabled=1' };
  }
  if (code === 'EPROTONOSUPPORT' || code === 'EINVAL') {
    return { available: false, detail: 'this kernel has no MPTCP: Linux 5.6 or later with CONFIG_MPTCP is needed' };
  }
  return { available: false, detail: `the kernel refused an MPTCP socket: ${code}` };
}

/**
 * How one side of a connection travels: over MPTCP, or over TCP and why.
 * `not-asked`: configured or tunnelled as TCP; `no-kernel-support`: see `probeMptcp`; `client-without-mptcp`: the
 * client's SYN had no MP_CAPABLE; `peer-without-mptcp`: ours had, and the answer did not (the server does not speak
 * MPTCP, or a middlebox stripped the option); `fell-back`: MPTCP was agreed on and given up later.
 */
export type MptcpState =
  | 'mptcp'
  | 'not-asked'
  | 'no-kernel-support'
  | 'client-without-mptcp'
  | 'peer-without-mptcp'
  | 'fell-back';

/** For a socket accepted from an MPTCP listener: SO_PROTOCOL tells. */
export function acceptedIsMptcp(fd: number): boolean {
  return getInt(fd, k.SOL_SOCKET, k.SO_PROTOCOL) === k.IPPROTO_MPTCP;
}

/** struct mptcp_info up to its mptcpi_token. */
const INFO_BYTES = 16;
const TOKEN_AT = 12;
const info = new NativeBuffer(INFO_BYTES);

/**
 * By which the kernel and its path managers name the connection, from `connect` on, before it stands; `undefined` for a
 * socket that is not MPTCP, or not any more.
 */
export function mptcpToken(fd: number): number | undefined {
  length.view.setUint32(0, INFO_BYTES, true);
  if (getsockopt(fd, k.SOL_MPTCP, k.MPTCP_INFO, info, length) < 0) return undefined;
  const token = info.view.getUint32(TOKEN_AT, true);
  return token === 0 ? undefined : token;
}

const nothing = new NativeBuffer(0);
const length = new NativeBuffer(4);

/**
 * For an MPTCP socket whose connection stands: did it stay MPTCP? TCP_IS_MPTCP says so since Linux 6.10; before, an
 * MPTCP_INFO of length 0 is refused after fallback.
 */
export function staysMptcp(fd: number): boolean {
  const is = getInt(fd, k.SOL_TCP, k.TCP_IS_MPTCP);
  if (is >= 0) return is === 1;
  return getsockopt(fd, k.SOL_MPTCP, k.MPTCP_INFO, nothing, length) >= 0;
}
