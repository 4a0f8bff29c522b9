// IP addresses as text and as bytes. Parsing is ipaddr.js's; only the strict, canonical forms are let through.

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
  if (text.includes(':')) {
    if (text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
    const parsed = ipaddr.IPv6.parse(text);
    return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : parsed.toRFC5952String();
  }
  return ipaddr.IPv4.isValidFourPartDecimal(text) ? text : undefined;
}

/** The 4 or 16 bytes of a canonical literal, in network order. Throws a RangeError on anything else. */
export function ipToBytes(address: string): Uint8Array {
  const canonical = canonicalIp(address);
  if (canonical === undefined) throw new RangeError(`not an IP address: ${address}`);
  return Uint8Array.from(ipaddr.parse(canonical).toByteArray());
}

/** Canonical text of 4 or 16 bytes in network order; IPv4-mapped addresses come out as IPv4. */
export function ipFromBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const parsed = ipaddr.fromByteArray([...bytes]) as ipaddr.IPv6;
  return parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toString() : parsed.toRFC5952String();
}
