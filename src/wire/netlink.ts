// Netlink framing: messages and their attributes (RFC 3549 §2.3.2; include/uapi/linux/netlink.h). Numbers are in the
// machine's own byte order, which is little-endian on x64 and arm64.

import type { Parsed } from './parsed.ts';
import { ProtocolError } from './protocol-error.ts';

export const NLMSG_HEADER = 16;
export const NLMSG_ERROR = 2;
export const NLM_F_REQUEST = 1;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** A view of what follows the header. */
  readonly payload: Uint8Array;
}

export interface NetlinkAttribute {
  /** Without the bits that mark it as nested or in network order. */
  readonly type: number;
  /** A view. */
  readonly payload: Uint8Array;
}

/** A view to read numbers by. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** One message. The next one of the same datagram begins at the next multiple of four. Throws a ProtocolError. */
export function parseNetlinkMessage(bytes: Uint8Array, offset = 0): Parsed<NetlinkMessage> {
  if (bytes.length - offset < NLMSG_HEADER) return undefined;
  const view = viewOf(bytes);
  const length = view.getUint32(offset, true);
  if (length < NLMSG_HEADER) throw new ProtocolError('malformed', 'netlink: a message shorter than its header');
  if (bytes.length - offset < length) return undefined;
  const value: NetlinkMessage = {
    type: view.getUint16(offset + 4, true),
    flags: view.getUint16(offset + 6, true),
    sequence: view.getUint32(offset + 8, true),
    payload: bytes.subarray(offset + NLMSG_HEADER, offset + length),
  };
  return { value, bytesRead: length };
}

const ATTRIBUTE_HEADER = 4;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
const TYPE_MASK = 0x3fff;

/** All attributes from `offset` on. Bounded by the bytes: each takes at least four. Throws a ProtocolError. */
export function parseAttributes(bytes: Uint8Array, offset = 0): NetlinkAttribute[] {
  const view = viewOf(bytes);
  const attributes: NetlinkAttribute[] = [];
  // Fewer than four bytes at the end are padding.
  for (let at = offset; bytes.length - at >= ATTRIBUTE_HEADER; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER || length > bytes.length - at) {
      throw new ProtocolError(
        'malformed',
        `netlink: an attribute of ${length} bytes where ${bytes.length - at} are left`,
      );
    }
    const type = view.getUint16(at + 2, true) & TYPE_MASK;
    attributes.push({ type, payload: bytes.subarray(at + ATTRIBUTE_HEADER, at + length) });
    at += (length + 3) & ~3;
  }
  return attributes;
}
