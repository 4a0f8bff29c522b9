// SOCKS version 5 (RFC 1928): greeting, method selection, request and reply, for both roles. The password exchange is
// in socks5-auth.ts. Knows the messages only, not their order.

import type { Destination, Endpoint } from './destination.ts';
import { canonicalHost } from './destination.ts';
import { canonicalIp, ipFromBytes, ipToBytes } from './ip.ts';
import { latin1Text, writeLatin1 } from './latin1.ts';
import type { Parsed } from './parsed.ts';
import { ProtocolError } from './protocol-error.ts';

export const SOCKS5_VERSION = 5;

/** RFC 1928 §3. */
export const Socks5Method = { none: 0x00, gssapi: 0x01, password: 0x02, unacceptable: 0xff } as const;

/** RFC 1928 §4. */
export const Socks5Command = { connect: 1, bind: 2, udpAssociate: 3 } as const;

/** RFC 1928 §6. */
export const Socks5ReplyCode = {
  succeeded: 0,
  generalFailure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  connectionRefused: 5,
  ttlExpired: 6,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const;

/** RFC 1928 §5. */
const AddressType = { ipv4: 1, domain: 3, ipv6: 4 } as const;

export interface Socks5Request {
  readonly command: number;
  /** `undefined`: the host is no usable name, or the port is 0. */
  readonly destination: Destination | undefined;
}

export interface Socks5Reply {
  readonly code: number;
  /** `undefined` when the server gave a domain name. */
  readonly bound: Endpoint | undefined;
}

/** VER NMETHODS METHODS (RFC 1928 §3): the methods on offer, a view of `bytes`, at most 255. */
export function parseGreeting(bytes: Uint8Array, offset = 0): Parsed<Uint8Array> {
  const available = bytes.length - offset;
  if (available < 1) return undefined;
  checkVersion(bytes[offset], 'greeting');
  if (available < 2) return undefined;
  const bytesRead = 2 + (bytes[offset + 1] as number);
  if (available < bytesRead) return undefined;
  return { value: bytes.subarray(offset + 2, offset + bytesRead), bytesRead };
}

export function encodeGreeting(methods: readonly number[]): Uint8Array {
  if (methods.length > 255) throw new RangeError(`a SOCKS5 greeting holds 255 methods, not ${methods.length}`);
  return Uint8Array.of(SOCKS5_VERSION, methods.length, ...methods);
}

/** VER METHOD (RFC 1928 §3): the method. */
export function parseMethodSelection(bytes: Uint8Array, offset = 0): Parsed<number> {
  const available = bytes.length - offset;
  if (available < 1) return undefined;
  checkVersion(bytes[offset], 'method selection');
  if (available < 2) return undefined;
  return { value: bytes[offset + 1] as number, bytesRead: 2 };
}

export function encodeMethodSelection(method: number): Uint8Array {
  return Uint8Array.of(SOCKS5_VERSION, method);
}

/** VER CMD RSV ATYP DST.ADDR DST.PORT (RFC 1928 §4). RSV is not looked at: nothing hangs on it. */
export function parseRequest(bytes: Uint8Array, offset = 0): Parsed<Socks5Request> {
  const bytesRead = messageLength(bytes, offset, 'request');
  if (bytesRead === undefined) return undefined;
  const host = readHost(bytes, offset + 3);
  const port = readPort(bytes, offset + bytesRead - 2);
  const destination = host === undefined || port === 0 ? undefined : { host, port };
  return { value: { command: bytes[offset + 1] as number, destination }, bytesRead };
}

export function encodeRequest(command: number, destination: Destination): Uint8Array {
  const { host, port } = destination;
  if (canonicalIp(host) !== undefined) return encodeAddressed(command, host, port);
  if (canonicalHost(host) !== host) throw new RangeError('the host of a SOCKS5 request must be in canonical form');
  const bytes = new Uint8Array(7 + host.length);
  bytes[0] = SOCKS5_VERSION;
  bytes[1] = command;
  bytes[3] = AddressType.domain;
  bytes[4] = host.length;
  writePort(bytes, writeLatin1(bytes, 5, host), port);
  return bytes;
}

/** VER REP RSV ATYP BND.ADDR BND.PORT (RFC 1928 §6). */
export function parseReply(bytes: Uint8Array, offset = 0): Parsed<Socks5Reply> {
  const bytesRead = messageLength(bytes, offset, 'reply');
  if (bytesRead === undefined) return undefined;
  const code = bytes[offset + 1] as number;
  if (bytes[offset + 3] === AddressType.domain) return { value: { code, bound: undefined }, bytesRead };
  const address = ipFromBytes(bytes.subarray(offset + 4, offset + bytesRead - 2));
  return { value: { code, bound: { address, port: readPort(bytes, offset + bytesRead - 2) } }, bytesRead };
}

export function encodeReply(code: number, bound: Endpoint): Uint8Array {
  return encodeAddressed(code, bound.address, bound.port);
}

function encodeAddressed(second: number, address: string, port: number): Uint8Array {
  const ip = ipToBytes(address);
  const bytes = new Uint8Array(6 + ip.length);
  bytes[0] = SOCKS5_VERSION;
  bytes[1] = second;
  bytes[3] = ip.length === 4 ? AddressType.ipv4 : AddressType.ipv6;
  bytes.set(ip, 4);
  writePort(bytes, 4 + ip.length, port);
  return bytes;
}

function checkVersion(version: number | undefined, message: string): void {
  if (version !== SOCKS5_VERSION) throw new ProtocolError('malformed', `SOCKS5 ${message} of version ${version}`);
}

/** Length of the request or reply at `offset`; `undefined` when it is not there in full. */
function messageLength(bytes: Uint8Array, offset: number, message: string): number | undefined {
  const available = bytes.length - offset;
  if (available < 1) return undefined;
  checkVersion(bytes[offset], message);
  if (available < 4) return undefined;
  const type = bytes[offset + 3];
  let length = 0;
  if (type === AddressType.ipv4) length = 10;
  else if (type === AddressType.ipv6) length = 22;
  else if (type !== AddressType.domain) {
    throw new ProtocolError('unsupported', `SOCKS5 ${message} with address type ${type}`);
  } else {
    if (available < 5) return undefined;
    length = 7 + (bytes[offset + 4] as number);
  }
  return available < length ? undefined : length;
}

/** The host of a complete message, from its ATYP on; `undefined` when the name is not usable. */
function readHost(bytes: Uint8Array, offset: number): string | undefined {
  switch (bytes[offset]) {
    case AddressType.ipv4:
      return ipFromBytes(bytes.subarray(offset + 1, offset + 5));
    case AddressType.ipv6:
      return ipFromBytes(bytes.subarray(offset + 1, offset + 17));
    default:
      // Many clients put an address's text here; it comes out as that address.
      return canonicalHost(latin1Text(bytes, offset + 2, offset + 2 + (bytes[offset + 1] as number)));
  }
}

function readPort(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
}

function writePort(bytes: Uint8Array, offset: number, port: number): void {
  bytes[offset] = port >> 8;
  bytes[offset + 1] = port & 0xff;
}
