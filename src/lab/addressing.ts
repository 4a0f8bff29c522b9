// Addresses of a topology's links: those given, and the rest made up. Labs do not share a network, so every lab starts
// from the same numbers: link 1 is 10.0.1.0/24 and fd00:0:0:1::/64, its first host .1, its second .2.

import { canonicalIp, familyOf, ipToBytes } from '../wire/ip.ts';
import { addressText, type InterfaceAddress } from './topology.ts';
import type { TopologyFault } from './topology-fault.ts';

/** `192.0.2.1/24` in pieces, with the address in canonical form; undefined for anything else. */
export function parseInterfaceAddress(text: string): InterfaceAddress | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text.trim());
  const address = match === null ? undefined : canonicalIp(match[1]!);
  if (match === null || address === undefined) return undefined;
  const family = familyOf(address);
  const prefixLength = Number(match[2]);
  if (prefixLength < 1 || prefixLength > (family === 4 ? 31 : 127)) return undefined;
  return { family, address, prefixLength };
}

/** Bits of the network, as a number that can be compared. */
function networkOf({ address, prefixLength }: InterfaceAddress, bits = prefixLength): bigint {
  const bytes = ipToBytes(address);
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return value >> BigInt(bytes.length * 8 - bits);
}

/** Whether two networks share an address. */
export function overlaps(a: InterfaceAddress, b: InterfaceAddress): boolean {
  if (a.family !== b.family) return false;
  const bits = Math.min(a.prefixLength, b.prefixLength);
  return networkOf(a, bits) === networkOf(b, bits);
}

/** The network of an interface address, as routes name it: `192.0.2.0/24`. */
export function networkText(of: InterfaceAddress): string {
  const bytes = ipToBytes(of.address);
  for (let bit = of.prefixLength; bit < bytes.length * 8; bit++) bytes[bit >> 3]! &= ~(0x80 >> (bit & 7));
  return `${textOf(bytes)}/${of.prefixLength}`;
}

function textOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(i * 2).toString(16));
  return canonicalIp(groups.join(':')) ?? groups.join(':');
}

export interface GivenAddresses {
  readonly link: string;
  readonly hosts: readonly [string, string];
  /** One list for each of the two hosts. */
  readonly addresses: readonly (readonly InterfaceAddress[])[];
}

export interface AssignedAddresses {
  /** In the order of the links, for the first host and the second. */
  readonly links: readonly (readonly [readonly InterfaceAddress[], readonly InterfaceAddress[]])[];
  readonly faults: readonly TopologyFault[];
}

function madeUp(index: number, side: 0 | 1, family: 4 | 6): InterfaceAddress {
  const net = index + 1;
  if (family === 4) return { family, address: `10.${net >> 8}.${net & 255}.${side + 1}`, prefixLength: 24 };
  return { family, address: `fd00:0:0:${net.toString(16)}::${side + 1}`, prefixLength: 64 };
}

/** Fills in what is missing in each of `families`. A family given for one host of a link must be given for the other. */
export function assignAddresses(given: readonly GivenAddresses[], families: readonly (4 | 6)[]): AssignedAddresses {
  const faults: TopologyFault[] = [];
  const links = given.map(({ link, hosts, addresses }, index) => {
    const ends: [InterfaceAddress[], InterfaceAddress[]] = [[], []];
    for (const family of [4, 6] as const) {
      const found = [0, 1].map((side) => (addresses[side] ?? []).filter((address) => address.family === family));
      const [first, second] = [found[0]![0], found[1]![0]];
      for (const side of [0, 1] as const) {
        if (found[side]!.length < 2) continue;
        const path = ['links', link, 'addresses', hosts[side]!];
        faults.push({ path, message: `has several IPv${family} addresses`, hint: 'one of each family' });
      }
      if (first === undefined && second === undefined) {
        if (!families.includes(family)) continue;
        ends[0].push(madeUp(index, 0, family));
        ends[1].push(madeUp(index, 1, family));
      } else if (first === undefined || second === undefined) {
        const without = hosts[first === undefined ? 0 : 1]!;
        faults.push({
          path: ['links', link, 'addresses'],
          message: `lacks an IPv${family} address for ${without}`,
          hint: 'one for both hosts, or for none',
        });
      } else {
        ends[0].push(first);
        ends[1].push(second);
        const message = faultOfPair(first, second);
        const hint = `another address in ${networkText(first)}`;
        if (message !== undefined) faults.push({ path: ['links', link, 'addresses', hosts[1]!], message, hint });
      }
    }
    return ends;
  });
  return { links, faults: [...faults, ...overlapping(given, links)] };
}

function faultOfPair(first: InterfaceAddress, second: InterfaceAddress): string | undefined {
  if (first.address === second.address) return `${first.address} is the other host's address`;
  if (first.prefixLength !== second.prefixLength || !overlaps(first, second)) {
    return `${addressText(second)} is not in the network of ${addressText(first)}`;
  }
  return undefined;
}

function overlapping(given: readonly GivenAddresses[], links: AssignedAddresses['links']): TopologyFault[] {
  const faults: TopologyFault[] = [];
  links.forEach(([mine], i) => {
    links.slice(0, i).forEach(([theirs], j) => {
      for (const one of mine) {
        const other = theirs.find((candidate) => overlaps(one, candidate));
        if (other === undefined) continue;
        const message = `${networkText(one)} overlaps ${networkText(other)} of link ${given[j]!.link}`;
        faults.push({
          path: ['links', given[i]!.link, 'addresses'],
          message,
          hint: 'a network of its own for each link',
        });
      }
    });
  });
  return faults;
}
