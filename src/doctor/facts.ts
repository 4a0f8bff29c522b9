// What the doctor knows about a machine: plain values, as they were read. `undefined`: could not be read.

import type { Destination } from '../wire/destination.ts';

export interface Facts {
  /** As `uname -r` has it. */
  readonly kernelRelease: string | undefined;
  /** Whether an MPTCP socket could be opened, and what the kernel said. */
  readonly mptcpSocket: { readonly available: boolean; readonly detail: string };
  /** By dotted name; only those that could be read. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** RLIMIT_NOFILE; Infinity for unlimited. */
  readonly descriptors: { readonly soft: number; readonly hard: number } | undefined;
  /** Interfaces that are up, without loopback, and their addresses of global scope. */
  readonly interfaces: readonly InterfaceFacts[] | undefined;
  /** The interface that a connection leaves by when nothing is said about its source: its first path. */
  readonly primary: string | undefined;
  readonly endpoints: readonly EndpointFacts[] | undefined;
  readonly limits: { readonly subflows: number; readonly addAddrAccepted: number } | undefined;
  /** How packets from each address leave for `routedTo`. */
  readonly routes: readonly RouteFacts[];
  readonly probe: ProbeFacts | undefined;
  /** Other programs that set up endpoints. */
  readonly managers?: readonly { readonly name: string; readonly pid: number }[];
  /** What each path made of the same server. */
  readonly pathProbes?: readonly PathProbeFacts[];
}

export interface InterfaceFacts {
  readonly name: string;
  readonly index: number;
  readonly addresses: readonly string[];
  /** Gateways of its default routes, one for each family at most. */
  readonly gateways: readonly string[];
}

export interface EndpointFacts {
  readonly address: string;
  /** Of `signal`, `subflow`, `backup`, `fullmesh`, …; see ip-mptcp(8). */
  readonly flags: readonly string[];
  readonly device: string | undefined;
}

export interface RouteFacts {
  readonly source: string;
  /** The interface that has the address. */
  readonly device: string;
  /** The interface that packets leave by; `undefined`: no route. */
  readonly leavesBy: string | undefined;
  /** There is a way through the address's own interface, for sockets bound to it. */
  readonly reachableByOwn: boolean;
}

/** Whether MPTCP got through to a server. */
export interface ProbeFacts {
  readonly destination: Destination;
  readonly result: ProbeResult;
}

export interface PathProbeFacts {
  readonly path: string;
  readonly address: string;
  readonly answers: boolean | undefined;
  /** 0 to 1. */
  readonly loss: number | undefined;
  readonly mptcp: 'through' | 'absent' | 'blocked' | undefined;
  readonly portal: 'open' | 'captive' | undefined;
  /** For people, in one line. */
  readonly text: string;
}

export type ProbeResult =
  | { readonly kind: 'mptcp' }
  /** Connected, but over TCP. */
  | { readonly kind: 'tcp'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string };
