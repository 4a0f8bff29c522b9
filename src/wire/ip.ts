// IP addresses as text and as bytes. Parsing of IPv6 is ipaddr.js's; only the strict, canonical forms are let through.

import ipaddr from 'ipaddr.js';

/** 4 when `text` is a canonical IPv4 literal, 6 when it holds a colon; only for text that came from this module. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/**
 * Canonical text of an IP literal (RFC 5952 for IPv6), or `undefined` for anything else. Takes four decimal parts
 * only ("127.1" and "0x7f000001" are no addresses here: what one parser takes for loopback another takes for a name)
 * and turns IPv4-mapped IPv6 addresses into IPv4, so that one host has one name in rules and logs. Zones are refused.
 */
export function canonicalIp(text: string): string | undefined {
  if (!text.includes(':')) return parseIpv4(text) === undefined ? undefined : text;
  const parsed = parseIpv6(text);
  return parsed === undefined ? undefined : ipv6Text(parsed);
}

/** The 4 or 16 bytes of a literal, in network order. Throws a RangeError on anything else. */
export function ipToBytes(address: string): Uint8Array {
  if (!address.includes(':')) {
    const value = parseIpv4(address);
    if (value !== undefined) return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
  } else {
    const parsed = parseIpv6(address);
    if (parsed !== undefined) {
      return Uint8Array.from(parsed.isIPv4MappedAddress() ? parsed.toByteArray().slice(12) : parsed.toByteArray());
    }
  }
  throw new RangeError(`not an IP address: ${address}`);
}

/** Canonical text of 4 or 16 bytes in network order; IPv4-mapped addresses come out as IPv4. */
export function ipFromBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  return ipv6Text(new ipaddr.IPv6([...bytes]));
}

/** The address as a number of 32 bits, signed; `undefined` unless it is four decimal parts without leading zeros. */
function parseIpv4(text: string): number | undefined {
  let value = 0;
  let part = -1;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x2e && part >= 0) {
      value = (value << 8) | part;
      part = -1;
      dots++;
    } else if (code >= 0x30 && code <= 0x39 && part !== 0) {
      part = (part < 0 ? 0 : part * 10) + code - 0x30;
      if (part > 255) return undefined;
    } else {
      return undefined;
    }
  }
  return dots === 3 && part >= 0 ? (value << 8) | part : undefined;
}

function parseIpv6(text: string): ipaddr.IPv6 | undefined {
  if (text.includes('%')) return undefined;
  const hex = text.includes('.') ? hexTail(text) : text;
  return hex !== undefined && ipaddr.IPv6.isValid(hex) ? ipaddr.IPv6.parse(hex) : undefined;
}

/**
 * `text` with the dotted part at its end (RFC 4291 §2.2) in hexadecimal. Left to ipaddr.js, octal and hexadecimal parts
 * would pass, and the address ::1.2.3.4 would be taken for ::ffff:1.2.3.4, another one.
 */
function hexTail(text: string): string | undefined {
  const colon = text.lastIndexOf(':');
  const value = parseIpv4(text.slice(colon + 1));
  if (value === undefined) return undefined;
  return `${text.slice(0, colon + 1)}${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
}

function ipv6Text(parsed: ipaddr.IPv6): string {
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : parsed.toRFC5952String();
}
