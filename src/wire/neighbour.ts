// rtnetlink on neighbours (ARP, RFC 826; neighbour discovery, RFC 4861): how far the kernel is with finding one, and
// making it begin, also anew. Layout: include/uapi/linux/neighbour.h.

import { NLM_F_REQUEST, viewOf } from './netlink.ts';
import {
  AF_INET,
  AF_INET6,
  attribute,
  encodeNetlinkMessage,
  ipBytes,
  NLM_F_ACK,
  NLM_F_CREATE,
  u32,
} from './netlink-encode.ts';
import { ProtocolError } from './protocol-error.ts';

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
/** struct ndmsg: u8 family, padding, s32 index, u16 state, u8 flags, type. */
const NDMSG = 12;
const NDA_DST = 1;
const NUD_INCOMPLETE = 0x01;
const NUD_FAILED = 0x20;
const NUD_NOARP = 0x40;
const NUD_PERMANENT = 0x80;
/** Nothing is set: the kernel looks for it as if something were to be sent there. */
const NTF_USE = 0x01;
const NTF_EXT_LEARNED = 0x10;

export interface Neighbour {
  readonly family: 4 | 6;
  readonly address: string;
  readonly index: number;
}

const TYPES = { get: RTM_GETNEIGH, remove: RTM_DELNEIGH, find: RTM_NEWNEIGH } as const;

/**
 * `get` is answered by the entry, or by ENOENT (Linux ≥ 5.0). `remove` fails with ENOENT as well. `find` is answered
 * before anything is found. Throws a RangeError.
 */
export function encodeNeighbour(verb: keyof typeof TYPES, neighbour: Neighbour, sequence: number): Uint8Array {
  const { family, address, index } = neighbour;
  const body = new Uint8Array(NDMSG);
  body[0] = family === 4 ? AF_INET : AF_INET6;
  body.set(u32(index), 4);
  if (verb === 'find') body[10] = NTF_USE;
  const flags = NLM_F_REQUEST | NLM_F_ACK | (verb === 'find' ? NLM_F_CREATE : 0);
  return encodeNetlinkMessage({ type: TYPES[verb], flags, sequence }, [
    body,
    attribute(NDA_DST, ipBytes(address, family)),
  ]);
}

/** `fixed`: set by somebody, or needs no finding. `unresolved`: it is being asked for, or nobody answered. */
export type NeighbourState = 'fixed' | 'unresolved' | 'resolved';

/** `undefined` for a message of another kind. Throws a ProtocolError. */
export function parseNeighbourState(type: number, payload: Uint8Array): NeighbourState | undefined {
  if (type !== RTM_NEWNEIGH) return undefined;
  if (payload.length < NDMSG) throw new ProtocolError('malformed', 'rtnetlink: a message shorter than ndmsg');
  const state = viewOf(payload).getUint16(8, true);
  if ((state & (NUD_NOARP | NUD_PERMANENT)) !== 0 || ((payload[10] as number) & NTF_EXT_LEARNED) !== 0) return 'fixed';
  return (state & (NUD_INCOMPLETE | NUD_FAILED)) !== 0 ? 'unresolved' : 'resolved';
}
