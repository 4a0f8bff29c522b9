// Netlink messages on their way to the kernel: header, attributes, padding (include/uapi/linux/netlink.h). Numbers are in
// the machine's own byte order, which is little-endian on x64 and arm64.

import { ipToBytes } from './ip.ts';
import { NLMSG_HEADER, viewOf } from './netlink.ts';

export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;

export const AF_INET = 2;
export const AF_INET6 = 10;

const NLA_F_NESTED = 0x8000;
const ATTRIBUTE_HEADER = 4;

/** A message with its length filled in; each part is padded to four bytes. The sender's port is left to the kernel. */
export function encodeNetlinkMessage(
  header: { readonly type: number; readonly flags: number; readonly sequence: number },
  parts: readonly Uint8Array[],
): Uint8Array {
  const bytes = join(NLMSG_HEADER, parts);
  const view = viewOf(bytes);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, header.type, true);
  view.setUint16(6, header.flags, true);
  view.setUint32(8, header.sequence, true);
  return bytes;
}

/** One attribute, padded. */
export function attribute(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(padded(ATTRIBUTE_HEADER + payload.length));
  const view = viewOf(bytes);
  view.setUint16(0, ATTRIBUTE_HEADER + payload.length, true);
  view.setUint16(2, type, true);
  bytes.set(payload, ATTRIBUTE_HEADER);
  return bytes;
}

/** An attribute that holds attributes. */
export function nested(type: number, attributes: readonly Uint8Array[]): Uint8Array {
  return attribute(type | NLA_F_NESTED, join(0, attributes));
}

export function u8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff);
}

/** Of signed numbers too. */
export function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff);
}

/** Ends with a zero byte, as the kernel wants names. */
export function zeroEnded(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

/** An address of the given family in 4 or 16 bytes. Throws a RangeError when it is no literal of that family. */
export function ipBytes(address: string, family: 4 | 6): Uint8Array {
  const bytes = ipToBytes(address);
  if (bytes.length !== (family === 4 ? 4 : 16)) throw new RangeError(`not an IPv${family} address: ${address}`);
  return bytes;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

function join(before: number, parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + padded(part.length), before));
  let at = before;
  for (const part of parts) {
    bytes.set(part, at);
    at += padded(part.length);
  }
  return bytes;
}
