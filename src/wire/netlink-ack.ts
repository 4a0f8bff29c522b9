// How the kernel answers a request, or ends a list: an errno, and since Linux 4.12 what was wrong in its own words
// (include/uapi/linux/netlink.h: struct nlmsgerr, enum nlmsgerr_attrs).

import { NLMSG_HEADER, viewOf } from './netlink.ts';
import { Attributes } from './netlink-read.ts';
import { ProtocolError } from './protocol-error.ts';

export const NLMSG_DONE = 3;

/** Of an acknowledgement: the request is not repeated in it; attributes follow. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const ATTR_MSG = 1;

export interface NetlinkAck {
  /** 0: done. */
  readonly errno: number;
  /** Such as "invalid token"; `undefined`: it does not say. */
  readonly reason: string | undefined;
}

/** The payload of a message of type NLMSG_ERROR or NLMSG_DONE. */
export function parseNetlinkAck(type: number, flags: number, payload: Uint8Array): NetlinkAck {
  if (payload.length < 4) return { errno: 0, reason: undefined };
  const errno = Math.abs(viewOf(payload).getInt32(0, true));
  return { errno, reason: (flags & NLM_F_ACK_TLVS) === 0 ? undefined : readReason(type, flags, payload) };
}

function readReason(type: number, flags: number, payload: Uint8Array): string | undefined {
  try {
    return new Attributes(payload, 4 + repeatedBytes(type, flags, payload)).text(ATTR_MSG);
  } catch (error) {
    // The errno is what counts.
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Of the request, its header alone or all of it; of a list, nothing. */
function repeatedBytes(type: number, flags: number, payload: Uint8Array): number {
  if (type === NLMSG_DONE) return 0;
  if ((flags & NLM_F_CAPPED) !== 0 || payload.length < 8) return NLMSG_HEADER;
  // Not by bits: those of a number from 2³¹ on would make it negative.
  return Math.ceil(viewOf(payload).getUint32(4, true) / 4) * 4;
}
