// What the demo plays: two paths, a file, a cut. Plain data, and the topology made of it.

import type { TopologyInput } from '../topology-input.ts';

export interface DemoPath {
  readonly mbitPerSecond: number;
  readonly rttMs: number;
  /** Share of frames lost, in each direction. */
  readonly loss: number;
}

export interface DemoSettings {
  /** The first one is what plain TCP uses, and what is cut. */
  readonly paths: readonly [DemoPath, DemoPath];
  readonly fileBytes: number;
  /** How long the first path is away. */
  readonly cutMs: number;
  /** Time given to each download, the same for both: its curl runs with it as --max-time. */
  readonly secondsMax: number;
  /** Congestion control of all senders in both networks. */
  readonly congestion: string;
  /** Makes losses repeat from run to run. */
  readonly seed: number;
}

/** The two ways of the same file: `mptcp` through the proxies, `tcp` straight. */
export const TRANSFERS = ['mptcp', 'tcp'] as const;
export type TransferName = (typeof TRANSFERS)[number];

/**
 * Of 1 % loss at 100 ms, cubic makes a quarter of what the path can carry, and bbr nearly all of it; see docs/demo.md.
 * The plain download gets the same, so that the congestion control is not what makes the difference.
 */
export const CONGESTION_PREFERRED = 'bbr';
export const CONGESTION_FALLBACK = 'cubic';

const PATHS = [
  { mbitPerSecond: 20, rttMs: 20, loss: 0 },
  { mbitPerSecond: 10, rttMs: 100, loss: 0.01 },
] as const;

export function demoSettings({ quick, congestion }: { quick: boolean; congestion: string }): DemoSettings {
  const size = quick
    ? { fileBytes: 24_000_000, cutMs: 4_000, secondsMax: 40 }
    : { fileBytes: 100_000_000, cutMs: 12_000, secondsMax: 180 };
  return { paths: PATHS, ...size, congestion, seed: 1 };
}

export function hostOf(transfer: TransferName, role: 'client' | 'internet' | 'gateway' | 'server'): string {
  return `${transfer}-${role}`;
}

/** Nothing but addresses and default routes: an anabranch there sets the paths up by itself, as on anybody's machine. */
const UNMANAGED = { sourceRouting: false, mptcp: { endpoints: 'none', addAddrAccepted: 0 } } as const;

/** Path 0 or 1. */
export function linkOf(transfer: TransferName, path: 0 | 1): string {
  return `${transfer}-path${path + 1}`;
}

/**
 * The same network twice, side by side without a link between them, so that the downloads do not take rate from each
 * other: a client with two paths into the internet, and behind it a gateway and a server that know nothing of the paths.
 * One lab holds both: one thing to take down.
 * The servers are like most: they do not speak MPTCP.
 */
export function demoTopology({ paths, congestion, seed }: DemoSettings): TopologyInput {
  const sysctls = { 'net.ipv4.tcp_congestion_control': congestion };
  const hosts: TopologyInput['hosts'] = {};
  const links: TopologyInput['links'] = {};
  for (const transfer of TRANSFERS) {
    const [client, internet, gateway, server] = (['client', 'internet', 'gateway', 'server'] as const).map((role) =>
      hostOf(transfer, role),
    ) as [string, string, string, string];
    hosts[client] = { ...UNMANAGED, sysctls };
    hosts[internet] = { forward: true };
    hosts[gateway] = { sysctls };
    hosts[server] = { mptcp: false, sysctls };
    for (const index of [0, 1] as const) {
      const { mbitPerSecond, rttMs, loss } = paths[index];
      links[linkOf(transfer, index)] = {
        between: [client, internet],
        rate: mbitPerSecond * 1e6,
        rtt: rttMs,
        loss,
      };
    }
    links[`${transfer}-gw`] = { between: [internet, gateway] };
    links[`${transfer}-srv`] = { between: [internet, server] };
  }
  return { name: 'demo', seed, ipv6: false, hosts, links };
}
