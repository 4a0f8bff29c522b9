// A topology with everything settled: what the lab builds. Made from what people write by topology-input.ts.

import type { DirectionSettings } from './link-settings.ts';
import type { TimelineEntry } from './timeline.ts';

export interface Topology {
  readonly name: string;
  /** Makes loss and jitter repeat from run to run. */
  readonly seed: number;
  readonly hosts: readonly HostSpec[];
  readonly links: readonly LinkSpec[];
  readonly timeline: readonly TimelineEntry[];
}

export interface HostSpec {
  readonly name: string;
  /** Passes on what is for others, and so makes a router. */
  readonly forward: boolean;
  /** Where it has several links and does not forward: packets from an address leave by the link of this address. */
  readonly sourceRouting: boolean;
  readonly mptcp: MptcpSpec;
  /** As given; they are set last. */
  readonly sysctls: readonly (readonly [name: string, value: string])[];
}

/**
 * `auto`: a host that does not forward gets a subflow endpoint for each address of a link that has a way round it. So a
 * client with two links gets two, a gateway between a router and a server none.
 */
export interface MptcpSpec {
  readonly enabled: boolean;
  readonly endpoints: 'auto' | ReadonlyMap<string, readonly EndpointFlag[]>;
  /** Limits of the kernel's path manager, 0 to 8. */
  readonly subflows: number;
  readonly addAddrAccepted: number;
}

export const ENDPOINT_FLAGS = ['subflow', 'signal', 'backup', 'fullmesh'] as const;
export type EndpointFlag = (typeof ENDPOINT_FLAGS)[number];

export interface LinkSpec {
  /** Also the name of the interface at both ends, so at most 15 characters. */
  readonly name: string;
  /** Frames from the first host to the second go up. */
  readonly hosts: readonly [string, string];
  readonly up: DirectionSettings;
  readonly down: DirectionSettings;
  readonly mtu: number;
  /** Addresses with prefix length of each of the two hosts: one of each family at most. */
  readonly addresses: readonly [readonly InterfaceAddress[], readonly InterfaceAddress[]];
}

export interface InterfaceAddress {
  readonly family: 4 | 6;
  /** Canonical text. */
  readonly address: string;
  readonly prefixLength: number;
}

/** `192.0.2.1/24` */
export function addressText({ address, prefixLength }: InterfaceAddress): string {
  return `${address}/${prefixLength}`;
}

/** For kernels without MPTCP, where every host is one that does not know it. */
export function withoutMptcp(topology: Topology): Topology {
  const hosts = topology.hosts.map((host) => ({ ...host, mptcp: { ...host.mptcp, enabled: false } }));
  return { ...topology, hosts };
}
