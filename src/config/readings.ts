// Single values of the configuration, from text: each reader gives the value, or what is wrong and what would be right.

import { isNetworkFault, parseNetwork } from '../routing/network.ts';
import { canonicalHost, type Destination, formatHostPort, parseHostPort } from '../wire/destination.ts';
import { canonicalIp, ipToBytes } from '../wire/ip.ts';
import type { ListenAddress } from './config.ts';
import { readUid, UID_MAX } from './passwd.ts';
import { parsePasswordHash } from './password-hash.ts';

export type Reading<T> = { readonly value: T } | { readonly wrong: string; readonly hint: string };

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
/** setTimeout and 32-bit milliseconds end at 24.8 days; a week is more than any of our waits. */
const DURATION_MS_MAX = 7 * 24 * 3_600_000;

/** `500ms`, `10s`, `1.5m`, `1h` in milliseconds; `minMs` up to a week. */
export function readDuration(text: string, minMs: number): Reading<number> {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text);
  if (!match) {
    return { wrong: /^\d+$/.test(text) ? 'has no unit' : 'is not a duration', hint: durationHint(text) };
  }
  const ms = Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]);
  if (ms >= minMs && ms <= DURATION_MS_MAX) return { value: ms };
  return { wrong: `is too ${ms < minMs ? 'short' : 'long'}`, hint: `from ${minMs}ms to 168h` };
}

export function durationHint(example: string): string {
  const number = /^\d{1,5}$/.test(example) ? example : '10';
  return `a number with its unit: ${number}ms, ${number}s, ${number}m or ${number}h`;
}

/** Seconds before the first keepalive; 0 for `off`. */
export function readKeepalive(text: string): Reading<number> {
  if (text === 'off') return { value: 0 };
  const reading = readDuration(text, 1_000);
  if (!('value' in reading)) return reading;
  const seconds = reading.value / 1_000;
  // TCP_KEEPIDLE takes 1 to 32,767 seconds (MAX_TCP_KEEPIDLE, include/net/tcp.h).
  if (Number.isInteger(seconds) && seconds <= 32_767) return { value: seconds };
  return { wrong: 'cannot be set', hint: 'whole seconds from 1s to 32767s (9h), or off' };
}

/** Milliseconds that sent data may stay unacknowledged; 0 for `off`. */
export function readUserTimeout(text: string): Reading<number> {
  return text === 'off' ? { value: 0 } : readDuration(text, 1_000);
}

export const LISTEN_HINT = 'an address and a port: 127.0.0.1:1080, "[::1]:1080", 0.0.0.0:1080';

/** An address literal with a port; port 0 lets the kernel choose one. */
export function readListen(text: string): Reading<ListenAddress> {
  const split = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (!split) return { wrong: 'is not an address with a port', hint: guessListen(text) };
  const [, bracketed, plain = '', portText] = split;
  const port = Number(portText);
  if (port > 65_535) return { wrong: 'has a port beyond 65535', hint: LISTEN_HINT };
  if (bracketed === undefined && (plain === '' || plain === '*')) {
    return {
      wrong: 'does not say on which address',
      hint: `127.0.0.1:${port} for this machine only, 0.0.0.0:${port} for IPv4 or "[::]:${port}" for all of the network`,
    };
  }
  const address = canonicalIp(bracketed ?? plain);
  if (address === undefined || (bracketed !== undefined && !bracketed.includes(':'))) {
    const hint = plain.toLowerCase() === 'localhost' ? `127.0.0.1:${port} or "[::1]:${port}"` : LISTEN_HINT;
    return { wrong: 'does not begin with an IP address', hint };
  }
  const first = ipToBytes(address)[0] as number;
  const unusable = address.includes(':') ? first === 0xff : first >= 224;
  if (unusable) return { wrong: 'is a multicast or reserved address', hint: LISTEN_HINT };
  return { value: { address, port } };
}

function guessListen(text: string): string {
  if (/^\d{1,5}$/.test(text)) return `127.0.0.1:${text} for this machine only, 0.0.0.0:${text} for the network`;
  const bare = /^(.*:.*):(\d{1,5})$/.exec(text);
  if (bare && canonicalIp(bare[1] as string) !== undefined) return `IPv6 in brackets: "[${bare[1]}]:${bare[2]}"`;
  const address = canonicalIp(text);
  return address === undefined ? LISTEN_HINT : `with a port: "${formatHostPort(address, 1080)}"`;
}

export const DESTINATION_HINT = 'a host and a port: gw.example.net:1080, 198.51.100.7:443, "[2001:db8::7]:443"';

export function readDestination(text: string): Reading<Destination> {
  const destination = parseHostPort(text);
  if (destination !== undefined) return { value: destination };
  if (text.includes('://')) return { wrong: 'is a URL', hint: DESTINATION_HINT };
  const host = canonicalHost(text);
  if (host !== undefined) return { wrong: 'has no port', hint: `"${formatHostPort(host, 1080)}", or another port` };
  return { wrong: 'is not a host with a port', hint: DESTINATION_HINT };
}

export const NETWORK_HINT = 'a network in CIDR notation: 192.0.2.0/24, "2001:db8::/32", or a single address';

export function readNetwork(text: string): Reading<string> {
  const network = parseNetwork(text);
  if (!isNetworkFault(network)) return { value: text };
  if (network.fault === 'host-bits') {
    return { wrong: `"${text}" has bits set beyond its prefix`, hint: `${network.network}, or the address without /…` };
  }
  return { wrong: 'is not a network', hint: NETWORK_HINT };
}

export const DOMAIN_HINT = 'a domain for itself and all below it (example.org), or for itself only ("=example.org")';

export function readDomain(text: string): Reading<string> {
  const exact = text.startsWith('=');
  const name = exact ? text.slice(1) : text;
  const host = canonicalHost(name);
  if (host !== undefined) {
    if (canonicalIp(host) === undefined) return { value: exact ? `=${host}` : host };
    return { wrong: 'is an address', hint: 'a condition on addresses is named `address`' };
  }
  const bare = canonicalHost(name.replace(/^(?:\*\.|\*|\.)/, ''));
  if (bare !== undefined) return { wrong: 'has a wildcard', hint: `${bare}, which takes in every name below it` };
  const foreign = /[^\p{ASCII}]/u.test(name);
  return { wrong: 'is not a domain name', hint: foreign ? 'its A-label form: xn--…' : DOMAIN_HINT };
}

export const PORT_HINT = 'a port (443) or a range ("8000-8100"), from 1 to 65535';

export function readPorts(value: number | string): Reading<readonly [number, number]> {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(value));
  const from = Number(match?.[1] ?? 0);
  const to = Number(match?.[2] ?? from);
  if (!match || from < 1 || to > 65_535) return { wrong: 'is not a port or range of ports', hint: PORT_HINT };
  if (from > to) return { wrong: 'ends before it begins', hint: `"${to}-${from}"` };
  return { value: [from, to] };
}

export const ADMIN_HINT = 'a path of at most 107 bytes for a unix socket (/run/anabranch/admin.sock), or off';
/** sun_path holds 108 bytes with the final zero (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;

export function readAdmin(text: string): Reading<string | undefined> {
  if (text === 'off') return { value: undefined };
  const usable = text.includes('/') && !text.endsWith('/') && !text.includes('\0');
  if (usable && byteLength(text) <= SOCKET_PATH_BYTES_MAX) return { value: text };
  return { wrong: usable ? 'is too long' : 'is not a path', hint: ADMIN_HINT };
}

export const DASHBOARD_HINT = 'an address and a port (127.0.0.1:1088), or off';

export function readDashboard(text: string): Reading<ListenAddress | undefined> {
  return text === 'off' ? { value: undefined } : readListen(text);
}

export const USER_NAME_HINT = 'a name of 1 to 255 bytes, without colons and control characters';
const CREDENTIAL_BYTES_MAX = 255;

/** RFC 1929 §2 bounds the length; RFC 7617 §2 forbids colons and control characters. */
export function readUserName(text: string): Reading<string> {
  if (text === '' || byteLength(text) > CREDENTIAL_BYTES_MAX || /[:\p{Cc}]/u.test(text)) {
    return { wrong: 'cannot be sent by every client', hint: USER_NAME_HINT };
  }
  return { value: text };
}

export function readUpstreamPassword(text: string): Reading<string> {
  const length = byteLength(text);
  if (length >= 1 && length <= CREDENTIAL_BYTES_MAX) return { value: text };
  return { wrong: 'is empty or too long', hint: 'a password of 1 to 255 bytes' };
}

export const ACCOUNT_HINT = `a login name of this machine, or its number: 0 to ${UID_MAX}`;

/** A number, or a name that the machine has to know. */
export function readAccount(value: number | string): Reading<number | string> {
  const text = String(value);
  const uid = readUid(text);
  if (uid !== undefined) return { value: uid };
  if (typeof value === 'string' && /^[^\s:\p{C}]{1,32}$/u.test(text) && !/^[-+\d.]+$/.test(text)) return { value };
  return {
    wrong: typeof value === 'number' ? `${text} is no number of an account` : 'is no account',
    hint: ACCOUNT_HINT,
  };
}

export const PASSWORD_HINT = 'a hash that begins with scrypt: — make one with `anabranch hash`';

export function readPasswordHash(text: string): Reading<string> {
  if (parsePasswordHash(text) !== undefined) return { value: text };
  const wrong = text.startsWith('scrypt:')
    ? 'is not a whole scrypt hash, or its costs are out of bounds'
    : 'is a plain password, and those are not taken: whoever reads the file has it';
  return { wrong, hint: PASSWORD_HINT };
}

export const ADDRESS_HINT = 'an IP address of this machine: 192.0.2.7, 2001:db8::7';

export function readSourceAddress(text: string): Reading<string> {
  const address = canonicalIp(text);
  if (address === undefined) return { wrong: 'is not an IP address', hint: ADDRESS_HINT };
  const first = ipToBytes(address)[0] as number;
  const unusable = address === '::' || (address.includes(':') ? first === 0xff : first === 0 || first >= 224);
  return unusable ? { wrong: 'is no address to connect from', hint: ADDRESS_HINT } : { value: address };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
