// Socket diagnostics: the question after one TCP socket by its addresses and ports, and what the answer says of it as a
// subflow of MPTCP. Layouts: include/uapi/linux/{sock_diag,inet_diag,mptcp}.h.

import type { Endpoint } from './destination.ts';
import { ipToBytes } from './ip.ts';
import { NLM_F_REQUEST, NLMSG_ERROR, NLMSG_HEADER, parseAttributes, parseNetlinkMessage, viewOf } from './netlink.ts';
import type { Parsed } from './parsed.ts';
import { ProtocolError } from './protocol-error.ts';

const SOCK_DIAG_BY_FAMILY = 20;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;

/** struct inet_diag_req_v2: u8 family, protocol, extensions, padding; u32 states; struct inet_diag_sockid. */
const REQUEST = 56;
/** struct inet_diag_msg up to its attributes. */
const ANSWER = 72;
/**
 * Asks for struct tcp_info. Not for its own sake: the kernel gives INET_DIAG_ULP_INFO with it only (inet_sk_diag_fill
 * in net/ipv4/inet_diag.c), and for that one there is no bit in the eight of this field.
 */
const EXTENSION_INFO = 1 << 1;
/** INET_DIAG_NOCOOKIE, twice: any socket of these addresses and ports. */
const NO_COOKIE = 0xffffffff;

const INET_DIAG_ULP_INFO = 19;
const INET_ULP_INFO_MPTCP = 3;
const MPTCP_SUBFLOW_ATTR_TOKEN_LOC = 2;
const MPTCP_SUBFLOW_ATTR_FLAGS = 8;

/** enum in include/net/tcp_states.h */
export const TCP_ESTABLISHED = 1;
export const TCP_LISTEN = 10;

export interface TcpLookup {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Of the interface that the socket is bound to. Sockets bound to none are found with any. */
  readonly interfaceIndex: number;
  /** Comes back with the answer; 32 bits. */
  readonly sequence: number;
}

/** What the kernel says of a subflow. */
export interface SubflowDiag {
  /** Token of its connection on this side; `undefined` when the kernel keeps it to itself. */
  readonly token: number | undefined;
  /** One of the sides asked that it carries data only when no other subflow can (RFC 8684 §3.2, §3.3.8). */
  readonly backup: boolean;
}

/** `subflow` is `undefined` for a socket that is none, and where we may not know (CAP_NET_ADMIN). */
export type DiagAnswer =
  | {
      readonly kind: 'socket';
      readonly sequence: number;
      /** A listener's when it stands at the asked address and there is no connection (inet_lookup). */
      readonly state: number;
      /**
       * Uid of whoever made it; `undefined` once no program holds it any more: the kernel says 0 then, which is not to be
       * taken for root.
       */
      readonly owner: number | undefined;
      readonly subflow: SubflowDiag | undefined;
    }
  | { readonly kind: 'refused'; readonly sequence: number; readonly errno: number }
  | { readonly kind: 'other'; readonly sequence: number };

/** MPTCP_SUBFLOW_FLAG_BKUP_REM and …_LOC: the scheduler heeds both. */
const BACKUP_FLAGS = 0x10 | 0x20;

/** The whole message. Throws a RangeError when an address is no literal. */
export function encodeTcpLookup({ local, remote, interfaceIndex, sequence }: TcpLookup): Uint8Array {
  const bytes = new Uint8Array(NLMSG_HEADER + REQUEST);
  const view = viewOf(bytes);
  const isV6 = local.address.includes(':');
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, SOCK_DIAG_BY_FAMILY, true);
  view.setUint16(6, NLM_F_REQUEST, true);
  view.setUint32(8, sequence, true);
  bytes[16] = isV6 ? AF_INET6 : AF_INET;
  bytes[17] = IPPROTO_TCP;
  bytes[18] = EXTENSION_INFO;
  // Every state; the kernel looks at this in dumps only.
  view.setUint32(20, 0xffffffff, true);
  // struct inet_diag_sockid: be16 ports, 16 bytes for each address, u32 interface, u32 cookie[2].
  view.setUint16(24, local.port, false);
  view.setUint16(26, remote.port, false);
  bytes.set(ipToBytes(local.address), 28);
  bytes.set(ipToBytes(remote.address), 44);
  view.setUint32(60, interfaceIndex, true);
  view.setUint32(64, NO_COOKIE, true);
  view.setUint32(68, NO_COOKIE, true);
  return bytes;
}

/** One message of the kernel. Throws a ProtocolError. */
export function parseDiagAnswer(bytes: Uint8Array, offset = 0): Parsed<DiagAnswer> {
  const parsed = parseNetlinkMessage(bytes, offset);
  if (parsed === undefined) return undefined;
  const { type, sequence, payload } = parsed.value;
  return { value: readAnswer(type, sequence, payload), bytesRead: parsed.bytesRead };
}

function readAnswer(type: number, sequence: number, payload: Uint8Array): DiagAnswer {
  if (type === NLMSG_ERROR) {
    if (payload.length < 4) throw new ProtocolError('malformed', 'sock_diag: an error without its number');
    return { kind: 'refused', sequence, errno: -viewOf(payload).getInt32(0, true) };
  }
  if (type !== SOCK_DIAG_BY_FAMILY) return { kind: 'other', sequence };
  if (payload.length < ANSWER) throw new ProtocolError('malformed', 'sock_diag: an answer shorter than inet_diag_msg');
  const state = payload[1] as number;
  return { kind: 'socket', sequence, state, owner: readOwner(payload), subflow: readSubflow(payload) };
}

/** idiag_uid, if idiag_inode says that there is a socket beside the protocol's part of it. */
function readOwner(payload: Uint8Array): number | undefined {
  const view = viewOf(payload);
  return view.getUint32(68, true) === 0 ? undefined : view.getUint32(64, true);
}

function readSubflow(payload: Uint8Array): SubflowDiag | undefined {
  const ulp = find(payload, ANSWER, INET_DIAG_ULP_INFO);
  const mptcp = ulp && find(ulp, 0, INET_ULP_INFO_MPTCP);
  if (mptcp === undefined) return undefined;
  const flags = readUint32(find(mptcp, 0, MPTCP_SUBFLOW_ATTR_FLAGS));
  if (flags === undefined) return undefined;
  const token = readUint32(find(mptcp, 0, MPTCP_SUBFLOW_ATTR_TOKEN_LOC));
  return { token, backup: (flags & BACKUP_FLAGS) !== 0 };
}

function find(bytes: Uint8Array, offset: number, type: number): Uint8Array | undefined {
  return parseAttributes(bytes, offset).find((attribute) => attribute.type === type)?.payload;
}

function readUint32(bytes: Uint8Array | undefined): number | undefined {
  return bytes === undefined || bytes.length < 4 ? undefined : viewOf(bytes).getUint32(0, true);
}
