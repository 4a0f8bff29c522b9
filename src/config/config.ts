// The configuration after parsing: every default filled in, every duration in milliseconds, nothing left to guess.
// Plain data, so that it can be cloned to the data-plane threads.

import type { WeekSpan } from '../routing/week-time.ts';
import type { Destination } from '../wire/destination.ts';

export interface Config {
  /** Data-plane threads, ≥ 1. */
  readonly workers: number;
  readonly log: LogTarget;
  /** Path of the admin API's unix socket, or `undefined` for none. */
  readonly admin: string | undefined;
  /** Where the dashboard is served, or `undefined` for none. */
  readonly dashboard: DashboardConfig | undefined;
  /** Account to change to once everything is opened; only when started as root. */
  readonly user: string | undefined;
  readonly paths: PathsConfig;
  readonly limits: Limits;
  readonly timeouts: Timeouts;
  readonly inbounds: readonly InboundConfig[];
  /** Always holds `direct`, the last resort of every rule, unless the file redefines it. */
  readonly outbounds: readonly OutboundConfig[];
  /** The first rule that matches decides; none: `direct`. */
  readonly rules: readonly RuleConfig[];
}

export type LogTarget =
  | { readonly kind: 'off' }
  | { readonly kind: 'stdout' }
  | { readonly kind: 'file'; readonly path: string }
  | DatabaseLog;

export interface DatabaseLog {
  readonly kind: 'database';
  readonly database: LogDatabase;
  /** How long entries are kept, in milliseconds; whole days. */
  readonly retention: number;
  readonly spool: {
    /** Where entries wait for the database; `undefined`: beside the other state of this machine. */
    readonly directory: string | undefined;
    readonly bytesMax: number;
  };
  /** This machine's name in the database; `undefined`: its host name. */
  readonly gateway: string | undefined;
}

export type LogDatabase =
  /** The URL may hold a password: a secret, never to be logged or shown. */
  | { readonly kind: 'postgres'; readonly url: string }
  /** `undefined`: beside the other state of this machine. */
  | { readonly kind: 'embedded'; readonly directory: string | undefined };

export interface DashboardConfig extends ListenAddress {
  /** What every visitor must bring; a secret. Needed beyond loopback. */
  readonly token: string | undefined;
}

export interface PathsConfig {
  /** Set up routing and MPTCP endpoints for every path, and keep them so; needs CAP_NET_ADMIN. */
  readonly manage: boolean;
  /** Who opens subflows: the kernel, by its endpoints, or the path manager, connection by connection. */
  readonly mode: PathsMode;
  /** `userspace` only. */
  readonly strategy: Strategy;
  /** `ndiffports` only: subflows for each pair of addresses, 1 to 8. */
  readonly subflows: number;
  /** What holds where no rule says otherwise. */
  readonly wish: Wish;
  /** `userspace` only: bytes of a connection before it gets a subflow over a metered path; `undefined`: at once. */
  readonly meteredAfter: number | undefined;
  /** Where the use of budgets is kept; `undefined`: beside the other state of this machine. */
  readonly state: string | undefined;
  /** What the owner knows of his paths; the first match counts. */
  readonly known: readonly KnownPath[];
  /** `undefined`: no active probing. */
  readonly probe: ProbeConfig | undefined;
  /** `undefined`: the addresses that clients come to are this gateway's own. */
  readonly balancer: BalancerConfig | undefined;
}

/** This gateway stands behind a load balancer; needs CAP_NET_ADMIN. */
export interface BalancerConfig {
  readonly announce: readonly AnnouncedAddress[];
}

export interface AnnouncedAddress {
  readonly address: string;
  /** 0: that of the connection, where an inbound listens; else the kernel listens there. */
  readonly port: number;
}

export type PathsMode = 'kernel' | 'userspace';
export type Strategy = 'fullmesh' | 'ndiffports' | 'gateways' | 'backup' | 'single';

export type Wish =
  | { readonly kind: 'max-throughput' | 'low-latency' | 'avoid-metered' }
  /** `path`: its configured name, or its interface's. */
  | { readonly kind: 'prefer' | 'only'; readonly path: string };

export type PathKind = 'ethernet' | 'wifi' | 'cellular' | 'dsl' | 'tunnel' | 'virtual' | 'unknown';
export type PathCost = 'free' | 'metered';

/** What is not given stays as it was found. */
export interface KnownPath {
  /** Everything given must match. */
  readonly match: {
    /** Name, with `*` and `?` for other letters. */
    readonly interface?: string;
    /** As guessed. */
    readonly kind?: PathKind;
    /** CIDR that the path's own address lies in. */
    readonly address?: string;
  };
  readonly name?: string;
  readonly kind?: PathKind;
  readonly cost?: PathCost;
  /** Smaller is preferred. */
  readonly priority?: number;
  /** true: no path. false: a path even if it is a tunnel. */
  readonly ignore?: boolean;
  readonly endpoint?: EndpointConfig;
  readonly budget?: BudgetConfig;
}

/** Flags of the MPTCP endpoint; only combinations that the kernel takes. */
export interface EndpointConfig {
  readonly subflow: boolean;
  readonly backup: boolean;
  readonly fullmesh: boolean;
  readonly signal: boolean;
  readonly laminar: boolean;
  /** 0: none of its own. */
  readonly port: number;
}

export interface BudgetConfig {
  /** Bytes in both directions. */
  readonly monthly: number;
  /** Day of the month it begins, 1 to 31; the last day of a month that has no such day. */
  readonly from: number;
  /** When it is used up: used only while no other path works, or not at all. */
  readonly then: 'backup' | 'off';
}

export interface ProbeConfig {
  /** http URL of a page that a server answers with 204; `undefined`: captive portals are not looked for. */
  readonly portal: string | undefined;
  /** In milliseconds, ≥ 1,000. */
  readonly every: number;
  readonly to: Destination;
  /** Also over metered paths. */
  readonly metered: boolean;
}

export interface Limits {
  /** Connections of all inbounds together. */
  readonly connections: number;
  /** Connections of one client address. */
  readonly connectionsPerSource: number;
}

/** All in milliseconds. */
export interface Timeouts {
  /** From accept to the end of the client's request. */
  readonly handshake: number;
  readonly resolve: number;
  /** From the first SYN to an established connection, upstream handshakes included. */
  readonly connect: number;
  /** Without a byte in either direction. */
  readonly idle: number;
  /** Like idle, once one side has ended its direction. */
  readonly halfClosed: number;
  /** After SIGTERM, until what is left is cut. */
  readonly drain: number;
}

/** `auto`: MPTCP where the kernel has it, else TCP. */
export type Transport = 'auto' | 'tcp' | 'mptcp';

export interface SocketConfig {
  /** Congestion control by name; `auto`: chosen while the connection lives; `undefined`: the kernel's default. */
  readonly congestion: string | undefined;
  /** SO_MARK, for policy routing; needs CAP_NET_ADMIN. */
  readonly mark: number | undefined;
  /** SO_BINDTODEVICE. */
  readonly interface: string | undefined;
  /** Local addresses to connect from; those of one family are tried one after the other. */
  readonly sourceAddress: readonly string[];
  /** TCP Fast Open (RFC 7413). */
  readonly fastOpen: boolean;
  /** SO_SNDBUF in bytes, as the kernel counts; `auto`: chosen while the connection lives; `undefined`: the kernel's. */
  readonly sendBuffer: number | 'auto' | undefined;
  /** TCP_NOTSENT_LOWAT in bytes. */
  readonly notsentLowat: number | undefined;
  /** Keepalive idle time in seconds; 0 for none. */
  readonly keepalive: number;
  /** How long sent data may stay unacknowledged before the connection is given up, in milliseconds; 0: for ever. */
  readonly userTimeout: number;
}

export interface ListenAddress {
  /** IPv4 or IPv6 literal. `::` takes IPv4 too. */
  readonly address: string;
  readonly port: number;
}

export interface InboundConfig {
  /** Unique; `type` when the file gives none, `type-2` and so on for further ones. */
  readonly name: string;
  readonly type: 'socks' | 'http' | 'mixed' | 'forward';
  readonly listen: readonly ListenAddress[];
  readonly transport: Transport;
  /** `forward` only: the fixed target. */
  readonly target: Destination | undefined;
  /** Empty: no authentication. `password` is a `scrypt:…` hash. */
  readonly users: readonly { readonly name: string; readonly password: string }[];
  /** Client networks (CIDR) that may connect; empty: every one. */
  readonly sources: readonly string[];
  /** Let clients from beyond loopback reach loopback, link-local and the machine's own addresses. */
  readonly allowLocal: boolean;
  /** Of its connections' subflows, in place of that of the paths. */
  readonly strategy?: Strategy;
  readonly socket: SocketConfig;
}

export interface OutboundConfig {
  readonly name: string;
  readonly type: 'direct' | 'socks' | 'http';
  /** Undefined for `direct`. */
  readonly server: Destination | undefined;
  readonly transport: Transport;
  /** Name of the outbound that carries this one's connection to its server. The chain ends; that is checked. */
  readonly via: string | undefined;
  /** Credentials for the upstream proxy: a secret, never to be logged or shown. */
  readonly credentials: { readonly name: string; readonly password: string } | undefined;
  /** Overlap the upstream handshake with the client's first bytes. */
  readonly optimistic: boolean;
  readonly socket: SocketConfig;
}

export interface RuleConfig {
  /** All given conditions must hold; each holds when one of its entries does. */
  readonly when: {
    /** Names or types of inbounds. */
    readonly inbound?: readonly string[];
    /** Client networks (CIDR). */
    readonly source?: readonly string[];
    readonly user?: readonly string[];
    /** Uids of the programs that open connections from this machine. */
    readonly account?: readonly number[];
    /** `example.org` matches itself and every name below it; `=example.org` only itself. */
    readonly domain?: readonly string[];
    /** Destination networks (CIDR); also checked against what a name resolves to. */
    readonly address?: readonly string[];
    /** Ports and ranges, `[from, to]` inclusive. */
    readonly port?: readonly (readonly [number, number])[];
    /** Times of the week, on the wall clock of this machine. */
    readonly time?: readonly WeekSpan[];
  };
  /** Name of an outbound, or `deny`. */
  readonly use: string;
  /** For the connections that it matches, in place of the paths' wish. */
  readonly wish?: Wish;
}
