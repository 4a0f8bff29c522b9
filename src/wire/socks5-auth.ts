// Username/password authentication for SOCKS5 (RFC 1929), for both roles.

import type { Parsed } from './parsed.ts';
import { ProtocolError } from './protocol-error.ts';

/** RFC 1929 §2: the version of this sub-negotiation, not of SOCKS. */
const VERSION = 1;
/** RFC 1929 §2: one octet holds the length. */
export const SOCKS5_CREDENTIAL_BYTES_MAX = 255;

export const Socks5AuthStatus = { success: 0x00, failure: 0x01 } as const;

export interface Socks5Credentials {
  readonly name: string;
  /** Never log it. */
  readonly password: string;
}

const encoder = new TextEncoder();
// RFC 1929 names no character set; UTF-8 is what clients send. Bytes that are no UTF-8 come out as U+FFFD.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** VER ULEN UNAME PLEN PASSWD (RFC 1929 §2). Empty ones are let through: whether they are right is not decided here. */
export function parseAuthRequest(bytes: Uint8Array, offset = 0): Parsed<Socks5Credentials> {
  const available = bytes.length - offset;
  if (available < 1) return undefined;
  checkVersion(bytes[offset], 'request');
  if (available < 2) return undefined;
  const nameEnd = 2 + (bytes[offset + 1] as number);
  if (available <= nameEnd) return undefined;
  const bytesRead = nameEnd + 1 + (bytes[offset + nameEnd] as number);
  if (available < bytesRead) return undefined;
  const name = decoder.decode(bytes.subarray(offset + 2, offset + nameEnd));
  const password = decoder.decode(bytes.subarray(offset + nameEnd + 1, offset + bytesRead));
  return { value: { name, password }, bytesRead };
}

/** Throws a RangeError when a part is longer than 255 bytes in UTF-8. */
export function encodeAuthRequest(credentials: Socks5Credentials): Uint8Array {
  const name = encoder.encode(credentials.name);
  const password = encoder.encode(credentials.password);
  if (name.length > SOCKS5_CREDENTIAL_BYTES_MAX || password.length > SOCKS5_CREDENTIAL_BYTES_MAX) {
    throw new RangeError('a SOCKS5 name or password is longer than 255 bytes (RFC 1929 §2)');
  }
  const bytes = new Uint8Array(3 + name.length + password.length);
  bytes[0] = VERSION;
  bytes[1] = name.length;
  bytes.set(name, 2);
  bytes[2 + name.length] = password.length;
  bytes.set(password, 3 + name.length);
  return bytes;
}

/** VER STATUS (RFC 1929 §2): the status; any but 0 is a failure. */
export function parseAuthReply(bytes: Uint8Array, offset = 0): Parsed<number> {
  const available = bytes.length - offset;
  if (available < 1) return undefined;
  checkVersion(bytes[offset], 'reply');
  if (available < 2) return undefined;
  return { value: bytes[offset + 1] as number, bytesRead: 2 };
}

export function encodeAuthReply(status: number): Uint8Array {
  return Uint8Array.of(VERSION, status);
}

function checkVersion(version: number | undefined, message: string): void {
  if (version !== VERSION) throw new ProtocolError('malformed', `SOCKS5 password ${message} of version ${version}`);
}
