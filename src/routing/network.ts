// A network in CIDR notation: text ⇄ value. Strict, because a mistyped network in an access list opens a door.

import { canonicalIp, ipFromBytes, ipToBytes } from '../wire/ip.ts';

export interface Network {
  /** The first address: 4 or 16 bytes, all bits beyond `prefixLength` clear. */
  readonly bytes: Uint8Array;
  /** 0–32 or 0–128. */
  readonly prefixLength: number;
}

/** Why a text is no network. For `host-bits`, `network` is the one that was probably meant. */
export type NetworkFault =
  | { readonly fault: 'not-a-network' }
  | { readonly fault: 'host-bits'; readonly network: string };

/** Bits before the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2). */
const MAPPED_BITS = 96;

/**
 * Reads `192.0.2.0/24`, `2001:db8::/32`, or a bare address for a network of one. IPv4-mapped networks become IPv4, as
 * addresses do everywhere, so that a list written either way matches a client that comes either way.
 */
export function parseNetwork(text: string): Network | NetworkFault {
  const [addressText = '', lengthText, ...rest] = text.split('/');
  const address = canonicalIp(addressText);
  const wellFormed = lengthText === undefined || /^(?:0|[1-9]\d{0,2})$/.test(lengthText);
  if (address === undefined || !wellFormed || rest.length > 0) return { fault: 'not-a-network' };
  const bytes = ipToBytes(address);
  const bits = bytes.length * 8;
  const mapped = addressText.includes(':') && bits === 32;
  const prefixLength = lengthText === undefined ? bits : Number(lengthText) - (mapped ? MAPPED_BITS : 0);
  if (prefixLength < 0 || prefixLength > bits) return { fault: 'not-a-network' };
  const network = { bytes: maskBytes(bytes, prefixLength), prefixLength };
  if (bytes.some((byte, index) => byte !== network.bytes[index])) {
    return { fault: 'host-bits', network: formatNetwork(network) };
  }
  return network;
}

export function isNetworkFault(result: Network | NetworkFault): result is NetworkFault {
  return 'fault' in result;
}

export function formatNetwork(network: Network): string {
  return `${ipFromBytes(network.bytes)}/${network.prefixLength}`;
}

function maskBytes(bytes: Uint8Array, prefixLength: number): Uint8Array {
  return bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefixLength - index * 8));
    return byte & (0xff00 >> kept) & 0xff;
  });
}
