// How much payload a link can carry: its rate counts frames with their Ethernet headers, and of each full frame only a
// part is payload. Computed from header sizes; what is measured stands beside it.

import { applyChange } from '../link-change.ts';
import { meanRate } from '../link-settings.ts';
import type { CutOptions, TimelineEntry } from '../timeline.ts';
import type { LinkSpec, Topology } from '../topology.ts';

/** Destination, source, type. */
const ETHERNET = 14;
const IPV4 = 20;
/** The header and the timestamps option, padded (RFC 7323 §3.2). */
const TCP = 20 + 12;
/**
 * DSS option on a data segment with an 8-byte data acknowledgement, an 8-byte data sequence number and no checksum (RFC 8684
 * §3.3): 4 + 8 + 8 + 4 + 2 bytes, padded. Linux sends this form once it has seen an 8-byte number from the peer.
 */
const DSS = 28;

export type Protocol = 'tcp' | 'mptcp';

/** Payload of a full frame. */
export function payloadBytes(mtu: number, protocol: Protocol): number {
  return mtu - IPV4 - TCP - (protocol === 'mptcp' ? DSS : 0);
}

export function payloadShare(mtu: number, protocol: Protocol): number {
  return payloadBytes(mtu, protocol) / (mtu + ETHERNET);
}

/** Which links carry the payload, which way, in what. */
export interface CapacityQuery {
  readonly links: readonly string[];
  readonly direction: 'up' | 'down';
  readonly protocol: Protocol;
}

/**
 * Payload in bits per second that the links together can carry, on average from one moment of the script to another.
 * A link that is cut carries nothing; one without a rate makes it Infinity.
 */
export function payloadCapacity(
  topology: Topology,
  timeline: readonly TimelineEntry[],
  { links, direction, protocol }: CapacityQuery,
  fromMs: number,
  toMs: number,
): number {
  let bits = 0;
  for (const name of new Set(links)) {
    const link = topology.links.find((one) => one.name === name);
    if (link === undefined) continue;
    bits += carried(link, timeline, direction, fromMs, toMs) * payloadShare(link.mtu, protocol);
  }
  return toMs > fromMs ? bits / ((toMs - fromMs) / 1_000) : 0;
}

/** Bits of frames that one direction can carry in a time. */
function carried(
  link: LinkSpec,
  timeline: readonly TimelineEntry[],
  direction: 'up' | 'down',
  fromMs: number,
  toMs: number,
): number {
  let settings = link[direction];
  let isCut = false;
  let atMs = fromMs;
  let bits = 0;
  const until = (nextMs: number): void => {
    if (!isCut && nextMs > atMs) bits += (meanRate(settings) * (nextMs - atMs)) / 1_000;
    atMs = Math.max(atMs, nextMs);
  };
  for (const entry of timeline) {
    const { action } = entry;
    if (action.kind === 'address' || action.link !== link.name || entry.atMs >= toMs) continue;
    until(entry.atMs);
    if (action.kind === 'up') isCut = false;
    else if (action.kind === 'set') settings = applyChange(settings, action.change, direction);
    else isCut ||= cuts(action.cut, direction);
  }
  until(toMs);
  return bits;
}

function cuts({ how = 'silent', direction: silenced = 'both' }: CutOptions, direction: 'up' | 'down'): boolean {
  return how !== 'silent' || silenced === 'both' || silenced === direction;
}
