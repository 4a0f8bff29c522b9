// What a live connection tells of its sending, subflow by subflow. Lighter than a sample of subflows.ts, for it is read
// some times a second: no addresses, no diagnostics.
// Layouts: include/uapi/linux/mptcp.h, include/uapi/linux/tcp.h.

import { NativeBuffer } from '../ffi/native-buffer.ts';
import { getsockopt } from '../ffi/sockets.ts';
import * as k from './constants.ts';

/** What struct tcp_info says of one subflow, or of a TCP connection. From its beginning on; see tcp(7). */
export interface SendReading {
  /** The kernel's number of the subflow (1: the first), or its place where the kernel does not tell; 0: TCP. */
  readonly id: number;
  /** Smoothed, and the shortest of late; microseconds. */
  readonly rttUs: number;
  readonly minRttUs: number;
  /** Retransmissions included. */
  readonly bytesSent: number;
  readonly bytesRetransmitted: number;
  readonly bytesAcked: number;
  /** Time with data under way. */
  readonly busyUs: number;
  readonly segmentBytes: number;
  /** The congestion window, and the slow start threshold; bytes. */
  readonly windowBytes: number;
  readonly thresholdBytes: number;
  /** Bytes per second at which the kernel lets them go. */
  readonly pacingRate: number;
  /** Sends again what was lost, as told by acknowledgements; not after a timeout. */
  readonly isRecovering: boolean;
  /** Handed to this subflow, and not sent for the first time yet. */
  readonly unsentBytes: number;
}

/** enum tcp_ca_state. */
const TCP_CA_RECOVERY = 3;
const SUBFLOWS_MAX = 32;
const FULL_HEADER = 40;
const MPTCP_INFO_SIZE = 96;
/** Up to and with tcpi_bytes_retrans, which came with Linux 4.19. */
const TCP_INFO_SIZE = 216;
/** The id of struct mptcp_subflow_info, without the addresses after it. */
const SUBFLOW_ID_SIZE = 8;
const SUBFLOW_DATA_HEADER = 16;

const full = new NativeBuffer(FULL_HEADER + MPTCP_INFO_SIZE);
const ids = new NativeBuffer(SUBFLOWS_MAX * SUBFLOW_ID_SIZE);
const infos = new NativeBuffer(SUBFLOWS_MAX * TCP_INFO_SIZE);
const listed = new NativeBuffer(SUBFLOW_DATA_HEADER + SUBFLOWS_MAX * TCP_INFO_SIZE);
const one = new NativeBuffer(TCP_INFO_SIZE);
const length = new NativeBuffer(4);

/** Empty when the connection is gone. A TCP connection, and MPTCP that fell back, has one. */
export function readSending(fd: number, isMptcp: boolean): SendReading[] {
  if (isMptcp) {
    const readings = readFull(fd) ?? readListed(fd);
    if (readings !== undefined) return readings;
  }
  one.bytes.fill(0);
  return getsockopt(fd, k.SOL_TCP, k.TCP_INFO, one, length) < 0 ? [] : [readInfo(one.view, 0, 0)];
}

/** MPTCP_FULL_INFO, Linux ≥ 6.5. */
function readFull(fd: number): SendReading[] | undefined {
  const { view } = full;
  full.bytes.fill(0);
  view.setUint32(4, TCP_INFO_SIZE, true);
  view.setUint32(12, SUBFLOW_ID_SIZE, true);
  view.setUint32(20, SUBFLOWS_MAX, true);
  view.setBigUint64(24, BigInt(ids.address), true);
  view.setBigUint64(32, BigInt(infos.address), true);
  infos.bytes.fill(0);
  if (getsockopt(fd, k.SOL_MPTCP, k.MPTCP_FULL_INFO, full, length) < 0) return undefined;
  const count = Math.min(view.getUint32(16, true), SUBFLOWS_MAX);
  const readings: SendReading[] = [];
  for (let i = 0; i < count; i++) {
    readings.push(readInfo(infos.view, i * TCP_INFO_SIZE, ids.view.getUint32(i * SUBFLOW_ID_SIZE, true)));
  }
  return readings;
}

/** MPTCP_TCPINFO, Linux ≥ 5.16: a subflow that goes makes those after it look like others, for once. */
function readListed(fd: number): SendReading[] | undefined {
  listed.bytes.fill(0);
  listed.view.setUint32(0, SUBFLOW_DATA_HEADER, true);
  listed.view.setUint32(12, TCP_INFO_SIZE, true);
  const got = getsockopt(fd, k.SOL_MPTCP, k.MPTCP_TCPINFO, listed, length);
  if (got < SUBFLOW_DATA_HEADER) return undefined;
  const count = Math.floor((got - SUBFLOW_DATA_HEADER) / TCP_INFO_SIZE);
  return Array.from({ length: count }, (_, i) => readInfo(listed.view, SUBFLOW_DATA_HEADER + i * TCP_INFO_SIZE, i + 1));
}

function readInfo(view: DataView, at: number, id: number): SendReading {
  const segmentBytes = view.getUint32(at + 16, true);
  return {
    id,
    rttUs: view.getUint32(at + 68, true),
    minRttUs: view.getUint32(at + 148, true),
    bytesSent: Number(view.getBigUint64(at + 200, true)),
    bytesRetransmitted: Number(view.getBigUint64(at + 208, true)),
    bytesAcked: Number(view.getBigUint64(at + 120, true)),
    busyUs: Number(view.getBigUint64(at + 168, true)),
    segmentBytes,
    windowBytes: view.getUint32(at + 80, true) * segmentBytes,
    thresholdBytes: view.getUint32(at + 76, true) * segmentBytes,
    pacingRate: Number(view.getBigUint64(at + 104, true)),
    isRecovering: view.getUint8(at + 1) === TCP_CA_RECOVERY,
    unsentBytes: view.getUint32(at + 144, true),
  };
}
