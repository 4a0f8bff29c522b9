// SOCKS version 4 (Ying-Da Lee, "SOCKS: A protocol for TCP proxy across firewalls") and its extension 4A, where the
// name of the host stands behind the user name: request and reply, for both roles.

import type { Destination, Endpoint } from './destination.ts';
import { canonicalHost } from './destination.ts';
import { canonicalIp, familyOf, ipFromBytes, ipToBytes } from './ip.ts';
import { latin1Text, writeLatin1 } from './latin1.ts';
import type { Parsed } from './parsed.ts';
import { ProtocolError } from './protocol-error.ts';

export const SOCKS4_VERSION = 4;

export const Socks4Command = { connect: 1, bind: 2 } as const;

export const Socks4ReplyCode = {
  granted: 0x5a,
  rejected: 0x5b,
  /** The client's identd could not be reached. */
  identUnreachable: 0x5c,
  /** The client is not the user it says it is. */
  identMismatch: 0x5d,
} as const;

export interface Socks4Request {
  readonly command: number;
  /** `undefined`: the host is no usable name, or the port is 0. */
  readonly destination: Destination | undefined;
  /** As sent, one character a byte; nobody has checked it. */
  readonly user: string;
}

/** The protocol names no bound. No user or host name in use comes near it. */
const TEXT_BYTES_MAX = 255;
const HEAD_BYTES = 8;

/** VN CD DSTPORT DSTIP USERID NUL, and for an address 0.0.0.x, x > 0, the host's name and NUL (SOCKS 4A). */
export function parseRequest(bytes: Uint8Array, offset = 0): Parsed<Socks4Request> {
  const available = bytes.length - offset;
  if (available < 1) return undefined;
  if (bytes[offset] !== SOCKS4_VERSION) {
    throw new ProtocolError('malformed', `SOCKS4 request of version ${bytes[offset]}`);
  }
  if (available <= HEAD_BYTES) return undefined;
  const userStart = offset + HEAD_BYTES;
  const userEnd = findNul(bytes, userStart, 'user name');
  if (userEnd === undefined) return undefined;
  const address = bytes.subarray(offset + 4, userStart);
  let host: string | undefined;
  let end = userEnd + 1;
  if (address[0] === 0 && address[1] === 0 && address[2] === 0 && address[3] !== 0) {
    const hostEnd = findNul(bytes, end, 'host name');
    if (hostEnd === undefined) return undefined;
    host = canonicalHost(latin1Text(bytes, end, hostEnd));
    end = hostEnd + 1;
  } else {
    host = ipFromBytes(address);
  }
  const port = ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number);
  const destination = host === undefined || port === 0 ? undefined : { host, port };
  const user = latin1Text(bytes, userStart, userEnd);
  return { value: { command: bytes[offset + 1] as number, destination, user }, bytesRead: end - offset };
}

/** `user`: characters U+0001–U+00FF, at most 255. An IPv6 address goes as text in the place of a name. */
export function encodeRequest(command: number, destination: Destination, user = ''): Uint8Array {
  const { host, port } = destination;
  const address = canonicalIp(host);
  const ip = address === undefined || familyOf(address) === 6 ? undefined : ipToBytes(address);
  if (address === undefined && canonicalHost(host) !== host) {
    throw new RangeError('the host of a SOCKS4 request must be in canonical form');
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
  if (user.length > TEXT_BYTES_MAX || /[^\u0001-\u00ff]/.test(user)) {
    throw new RangeError('the user name of a SOCKS4 request is too long or not printable in one byte a character');
  }
  const bytes = new Uint8Array(HEAD_BYTES + user.length + 1 + (ip === undefined ? host.length + 1 : 0));
  bytes[0] = SOCKS4_VERSION;
  bytes[1] = command;
  bytes[2] = port >> 8;
  bytes[3] = port & 0xff;
  const userEnd = writeLatin1(bytes, HEAD_BYTES, user);
  if (ip === undefined) {
    bytes[7] = 1;
    writeLatin1(bytes, userEnd + 1, host);
  } else {
    bytes.set(ip, 4);
  }
  return bytes;
}

/** VN CD DSTPORT DSTIP: the code. Port and address mean nothing after CONNECT. */
export function parseReply(bytes: Uint8Array, offset = 0): Parsed<number> {
  const available = bytes.length - offset;
  if (available < 1) return undefined;
  // The version of the reply code: 0, not 4.
  if (bytes[offset] !== 0) throw new ProtocolError('malformed', `SOCKS4 reply of version ${bytes[offset]}`);
  if (available < HEAD_BYTES) return undefined;
  return { value: bytes[offset + 1] as number, bytesRead: HEAD_BYTES };
}

/** `bound` is left out (zeros) when it is no IPv4 address. */
export function encodeReply(code: number, bound?: Endpoint): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES);
  bytes[1] = code;
  if (bound !== undefined && familyOf(bound.address) === 4) {
    bytes[2] = bound.port >> 8;
    bytes[3] = bound.port & 0xff;
    bytes.set(ipToBytes(bound.address), 4);
  }
  return bytes;
}

function findNul(bytes: Uint8Array, start: number, what: string): number | undefined {
  const end = Math.min(bytes.length, start + TEXT_BYTES_MAX + 1);
  for (let at = start; at < end; at++) if (bytes[at] === 0) return at;
  if (bytes.length > start + TEXT_BYTES_MAX) {
    throw new ProtocolError('too-large', `SOCKS4 ${what} longer than ${TEXT_BYTES_MAX} bytes`);
  }
  return undefined;
}
