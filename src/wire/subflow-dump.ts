// Socket diagnostics: all established TCP sockets of a family, and of those that are subflows of MPTCP how far each has
// come. Layouts: include/uapi/linux/{sock_diag,inet_diag,tcp,mptcp}.h.

import type { Endpoint } from './destination.ts';
import { ipFromBytes } from './ip.ts';
import { NLM_F_REQUEST, viewOf } from './netlink.ts';
import { AF_INET, AF_INET6, encodeNetlinkMessage, NLM_F_DUMP } from './netlink-encode.ts';
import { Attributes } from './netlink-read.ts';
import { ProtocolError } from './protocol-error.ts';

export const SOCK_DIAG_BY_FAMILY = 20;
const IPPROTO_TCP = 6;
/** struct inet_diag_req_v2, struct inet_diag_msg */
const REQUEST = 56;
const ANSWER = 72;
/** INET_DIAG_INFO as a bit; the kernel gives INET_DIAG_ULP_INFO along with it. */
const EXTENSION_INFO = 1 << 1;
const TCP_ESTABLISHED = 1;

const INET_DIAG_INFO = 2;
const INET_DIAG_ULP_INFO = 19;
const INET_ULP_INFO_MPTCP = 3;
const MPTCP_SUBFLOW_ATTR_TOKEN_LOC = 2;
const MPTCP_SUBFLOW_ATTR_FLAGS = 8;
const MPTCP_SUBFLOW_ATTR_ID_LOC = 10;
/** MPTCP_SUBFLOW_FLAG_MCAP_LOC, MPTCP_SUBFLOW_FLAG_JOIN_LOC: this side sent the SYN. */
const INITIATED = 0x2 | 0x8;
/** MPTCP_SUBFLOW_FLAG_MCAP_REM, MPTCP_SUBFLOW_FLAG_MCAP_LOC: the first of its connection. */
const INITIAL = 0x1 | 0x2;
/** MPTCP_SUBFLOW_FLAG_BKUP_LOC */
const BACKUP = 0x20;

/** A subflow at one moment. */
export interface SubflowProgress {
  /** Token of its connection on this side: joins the subflows of one connection. */
  readonly token: number;
  /** This side opened it. */
  readonly initiated: boolean;
  /** The first of its connection. */
  readonly initial: boolean;
  /** Id of the local address, 0 for that of the first subflow. */
  readonly localId: number;
  /** This side wants it for lack of others only. */
  readonly backup: boolean;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly bytesAcked: number;
  readonly bytesReceived: number;
  readonly segmentsIn: number;
  /** Segments sent and not acknowledged. */
  readonly unacked: number;
  /** Retransmission timeouts in a row, without an acknowledgement between them. */
  readonly timeouts: number;
  /** Since the last segment came, with data or an acknowledgement; in steps of the kernel's clock. */
  readonly silentMs: number;
  readonly rttMs: number;
  readonly rttVarianceMs: number;
}

/** Asks for every established socket. */
export function encodeSubflowDump(family: 4 | 6, sequence: number): Uint8Array {
  const body = new Uint8Array(REQUEST);
  body[0] = family === 4 ? AF_INET : AF_INET6;
  body[1] = IPPROTO_TCP;
  body[2] = EXTENSION_INFO;
  viewOf(body).setUint32(4, 1 << TCP_ESTABLISHED, true);
  const header = { type: SOCK_DIAG_BY_FAMILY, flags: NLM_F_REQUEST | NLM_F_DUMP, sequence };
  return encodeNetlinkMessage(header, [body]);
}

/** One socket of the answer; `undefined` when it is no subflow, or the kernel keeps it to itself. Throws a ProtocolError. */
export function parseSubflowProgress(payload: Uint8Array): SubflowProgress | undefined {
  if (payload.length < ANSWER) throw new ProtocolError('malformed', 'sock_diag: an answer shorter than inet_diag_msg');
  const attributes = new Attributes(payload, ANSWER);
  const mptcp = attributes.nested(INET_DIAG_ULP_INFO)?.nested(INET_ULP_INFO_MPTCP);
  const token = mptcp?.u32(MPTCP_SUBFLOW_ATTR_TOKEN_LOC);
  const info = attributes.bytes(INET_DIAG_INFO);
  // Up to tcpi_segs_in, which every kernel with MPTCP fills.
  if (token === undefined || info === undefined || info.length < 144) return undefined;
  const view = viewOf(payload);
  const size = payload[0] === AF_INET ? 4 : 16;
  const tcp = viewOf(info);
  const flags = mptcp?.u32(MPTCP_SUBFLOW_ATTR_FLAGS) ?? 0;
  return {
    token,
    initiated: (flags & INITIATED) !== 0,
    initial: (flags & INITIAL) !== 0,
    localId: mptcp?.u8(MPTCP_SUBFLOW_ATTR_ID_LOC) ?? 0,
    backup: (flags & BACKUP) !== 0,
    local: { address: ipFromBytes(payload.subarray(8, 8 + size)), port: view.getUint16(4, false) },
    remote: { address: ipFromBytes(payload.subarray(24, 24 + size)), port: view.getUint16(6, false) },
    timeouts: tcp.getUint8(2),
    unacked: tcp.getUint32(24, true),
    silentMs: Math.min(tcp.getUint32(52, true), tcp.getUint32(56, true)),
    rttMs: tcp.getUint32(68, true) / 1000,
    rttVarianceMs: tcp.getUint32(72, true) / 1000,
    bytesAcked: Number(tcp.getBigUint64(120, true)),
    bytesReceived: Number(tcp.getBigUint64(128, true)),
    segmentsIn: tcp.getUint32(140, true),
  };
}
