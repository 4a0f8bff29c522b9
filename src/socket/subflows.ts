// What the kernel knows of an MPTCP connection and its subflows: MPTCP_FULL_INFO (Linux ≥ 6.5), else MPTCP_INFO with
// MPTCP_TCPINFO and MPTCP_SUBFLOW_ADDRS (≥ 5.16). Layouts: include/uapi/linux/mptcp.h, include/uapi/linux/tcp.h.

import { NativeBuffer } from '../ffi/native-buffer.ts';
import { getsockopt } from '../ffi/sockets.ts';
import type { Endpoint } from '../wire/destination.ts';
import * as k from './constants.ts';
import { readSockaddr, SOCKADDR_STORAGE } from './sockaddr.ts';
import { SubflowDiagnostics } from './subflow-diag.ts';

/** A TCP connection or one subflow, at one moment. Bytes are payload, acknowledged (sent) or received in all. */
export interface SubflowSample {
  /** The kernel's number of this subflow within its connection (1: the first); 0 when the kernel does not tell. */
  readonly id: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Smoothed, in microseconds. */
  readonly rttUs: number;
  /** Segments sent again. */
  readonly retransmits: number;
  /** In segments. */
  readonly congestionWindow: number;
  /** Carries data only when no other subflow can; `undefined` for TCP, and where the kernel does not tell. */
  readonly backup: boolean | undefined;
}

/** An MPTCP connection at one moment. */
export interface MptcpSample {
  /** Local token; joins this connection with netlink events and socket diagnostics. */
  readonly token: number;
  /** Data sent and not yet acknowledged at the MPTCP level, bytes. */
  readonly unacked: number;
  /** Sequence number up to which what was sent is acknowledged at the MPTCP level: it stands still without progress. */
  readonly acknowledged: bigint;
  /** Milliseconds since the last acknowledgement came in; −1 when the kernel (< 6.10) does not tell. */
  readonly lastAckMs: number;
  readonly subflows: readonly SubflowSample[];
}

/** The kernel's limit is 8 additional subflows per endpoint list; the userspace path manager may go beyond. */
const SUBFLOWS_MAX = 32;
const FULL_HEADER = 40;
const MPTCP_INFO_SIZE = 96;
const TCP_INFO_SIZE = 280;
const SUBFLOW_ADDRS_SIZE = 2 * SOCKADDR_STORAGE;
const SUBFLOW_INFO_SIZE = 8 + SUBFLOW_ADDRS_SIZE;
const SUBFLOW_DATA_HEADER = 16;

const full = new NativeBuffer(FULL_HEADER + MPTCP_INFO_SIZE);
const infos = new NativeBuffer(SUBFLOWS_MAX * SUBFLOW_INFO_SIZE);
const tcpInfos = new NativeBuffer(SUBFLOWS_MAX * TCP_INFO_SIZE);
const info = new NativeBuffer(MPTCP_INFO_SIZE);
const listed = new NativeBuffer(SUBFLOW_DATA_HEADER + SUBFLOWS_MAX * TCP_INFO_SIZE);
const oneTcpInfo = new NativeBuffer(TCP_INFO_SIZE);
const length = new NativeBuffer(4);

const diagnostics = new SubflowDiagnostics();

let hasFullInfo = true;

/** include/net/tcp_states.h */
const TCP_CLOSE = 7;
/** The peer's FIN has come: TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING. Of TCP_CLOSE nobody can tell. */
const FIN_RECEIVED: ReadonlySet<number> = new Set([6, 8, 9, 11]);

const ENOPROTOOPT = 92;
const EOPNOTSUPP = 95;

/** A snapshot of an MPTCP socket; `undefined` when it is none, or has fallen back to TCP (see `staysMptcp`). */
export function sampleMptcp(fd: number): MptcpSample | undefined {
  if (hasFullInfo) {
    const sample = sampleFull(fd);
    if (typeof sample !== 'number') return sample;
    // Before 6.5 the option is unknown; after a fallback it is refused as well, but then MPTCP_INFO is too.
    if (sample !== -EOPNOTSUPP && sample !== -ENOPROTOOPT) return undefined;
  }
  const sample = sampleMptcpInParts(fd);
  if (sample !== undefined) hasFullInfo = false;
  return sample;
}

/**
 * The same for kernels before 6.5. They do not number the subflows, and tell figures and addresses by two calls: a
 * subflow that comes or goes in between may mix up two of them for this once.
 */
export function sampleMptcpInParts(fd: number): MptcpSample | undefined {
  info.bytes.fill(0);
  if (getsockopt(fd, k.SOL_MPTCP, k.MPTCP_INFO, info, length) < 0) return undefined;
  return readInfo(info.view, 0, sampleListed(fd));
}

function sampleFull(fd: number): MptcpSample | number {
  const { view } = full;
  full.bytes.fill(0);
  view.setUint32(4, TCP_INFO_SIZE, true);
  view.setUint32(12, SUBFLOW_INFO_SIZE, true);
  view.setUint32(20, SUBFLOWS_MAX, true);
  view.setBigUint64(24, BigInt(infos.address), true);
  view.setBigUint64(32, BigInt(tcpInfos.address), true);
  tcpInfos.bytes.fill(0);
  const got = getsockopt(fd, k.SOL_MPTCP, k.MPTCP_FULL_INFO, full, length);
  if (got < 0) return got;
  const count = Math.min(view.getUint32(16, true), SUBFLOWS_MAX);
  const subflows: SubflowSample[] = [];
  for (let i = 0; i < count; i++) {
    const at = i * SUBFLOW_INFO_SIZE;
    const id = infos.view.getUint32(at, true);
    const [local, remote] = readAddresses(infos, at + 8);
    if (isWiped(tcpInfos.view, i * TCP_INFO_SIZE)) continue;
    subflows.push(readTcpInfo(tcpInfos.view, i * TCP_INFO_SIZE, id, local, remote));
  }
  return readInfo(view, FULL_HEADER, subflows);
}

function sampleListed(fd: number): SubflowSample[] {
  const infoCount = readListed(fd, k.MPTCP_TCPINFO, TCP_INFO_SIZE);
  const tcp = listed.bytes.slice(SUBFLOW_DATA_HEADER, SUBFLOW_DATA_HEADER + infoCount * TCP_INFO_SIZE);
  const tcpView = new DataView(tcp.buffer, tcp.byteOffset, tcp.byteLength);
  const count = Math.min(infoCount, readListed(fd, k.MPTCP_SUBFLOW_ADDRS, SUBFLOW_ADDRS_SIZE));
  const subflows: SubflowSample[] = [];
  for (let i = 0; i < count; i++) {
    const at = SUBFLOW_DATA_HEADER + i * SUBFLOW_ADDRS_SIZE;
    const [local, remote] = readAddresses(listed, at);
    if (isWiped(tcpView, i * TCP_INFO_SIZE)) continue;
    subflows.push(readTcpInfo(tcpView, i * TCP_INFO_SIZE, 0, local, remote));
  }
  return subflows;
}

/** Fills `listed` with one array of struct mptcp_subflow_data; returns how many elements it holds. */
function readListed(fd: number, option: number, size: number): number {
  listed.bytes.fill(0);
  listed.view.setUint32(0, SUBFLOW_DATA_HEADER, true);
  listed.view.setUint32(12, size, true);
  const got = getsockopt(fd, k.SOL_MPTCP, option, listed, length);
  return got < SUBFLOW_DATA_HEADER ? 0 : Math.floor((got - SUBFLOW_DATA_HEADER) / size);
}

function readInfo(view: DataView, at: number, subflows: readonly SubflowSample[]): MptcpSample {
  const token = view.getUint32(at + 12, true);
  const writeSequence = view.getBigUint64(at + 16, true);
  const acknowledged = view.getBigUint64(at + 24, true);
  // Only kernels from 6.10 on fill the times; they are zero together on older ones.
  const tellsTimes = view.getUint32(at + 84, true) + view.getUint32(at + 88, true) + view.getUint32(at + 92, true) > 0;
  return {
    token,
    unacked: Number(BigInt.asUintN(64, writeSequence - acknowledged)),
    acknowledged,
    lastAckMs: tellsTimes ? view.getUint32(at + 92, true) : -1,
    subflows: subflows.map((subflow) => ({ ...subflow, backup: isBackup(subflow, token) })),
  };
}

function isBackup({ local, remote }: SubflowSample, token: number): boolean | undefined {
  const found = diagnostics.look(local, remote);
  if (found === undefined || (found.token !== undefined && found.token !== token)) return undefined;
  return found.backup;
}

function readAddresses(buffer: NativeBuffer, at: number): readonly [Endpoint, Endpoint] {
  return [readSockaddr(buffer, at), readSockaddr(buffer, at + SOCKADDR_STORAGE)];
}

/**
 * MPTCP keeps its first subflow's socket when that closes, but disconnects it (__mptcp_close_ssk in net/mptcp/protocol.c):
 * addresses and figures are gone, and all zeros would pass for news. So it is after a fallback too.
 */
function isWiped(view: DataView, at: number): boolean {
  const isClosed = view.getUint8(at) === TCP_CLOSE && view.getUint32(at + 68, true) === 0;
  return isClosed && view.getBigUint64(at + 120, true) === 0n && view.getBigUint64(at + 128, true) === 0n;
}

/** struct tcp_info */
function readTcpInfo(view: DataView, at: number, id: number, local: Endpoint, remote: Endpoint): SubflowSample {
  // The kernel counts SYN and FIN as acknowledged bytes, and FIN as received; of what was sent, neither is part.
  const acked = Number(view.getBigUint64(at + 120, true));
  const sentOnce = Number(view.getBigUint64(at + 200, true)) - Number(view.getBigUint64(at + 208, true));
  const received = Number(view.getBigUint64(at + 128, true));
  return {
    id,
    local,
    remote,
    bytesSent: Math.min(acked, sentOnce),
    bytesReceived: received - (received > 0 && FIN_RECEIVED.has(view.getUint8(at)) ? 1 : 0),
    rttUs: view.getUint32(at + 68, true),
    retransmits: view.getUint32(at + 100, true),
    congestionWindow: view.getUint32(at + 80, true),
    backup: undefined,
  };
}

/** The same for a plain TCP socket (TCP_INFO), with its addresses given by the caller. `undefined` when it is gone. */
export function sampleTcp(fd: number, local: Endpoint, remote: Endpoint): SubflowSample | undefined {
  oneTcpInfo.bytes.fill(0);
  if (getsockopt(fd, k.SOL_TCP, k.TCP_INFO, oneTcpInfo, length) < 0) return undefined;
  return isWiped(oneTcpInfo.view, 0) ? undefined : readTcpInfo(oneTcpInfo.view, 0, 0, local, remote);
}
