// What each host of a topology needs: interfaces, routes, rules, MPTCP endpoints, sysctls. Pure: topology in, plan out.

import { networkText } from './addressing.ts';
import { addressText, type EndpointFlag, type HostSpec, type InterfaceAddress, type Topology } from './topology.ts';
import { hasWayRound } from './way-round.ts';

export interface HostPlan {
  readonly host: HostSpec;
  readonly interfaces: readonly InterfacePlan[];
  /** Beside those of the interfaces: a router's ways to networks it is not in. */
  readonly routes: readonly Route[];
  /** Set before the interfaces are made, in this order. */
  readonly sysctls: readonly Sysctl[];
}

export interface Sysctl {
  readonly name: string;
  readonly value: string;
  /** Whether this kernel must have it; those set by default may be missing. */
  readonly required: boolean;
}

export interface InterfacePlan {
  readonly device: string;
  readonly mtu: number;
  readonly addresses: readonly InterfaceAddress[];
  /** The other host's address of each family. */
  readonly peers: readonly InterfaceAddress[];
  /** A host, unlike a router, reaches everything over each of its links: the first link is preferred. */
  readonly defaultMetric: number | undefined;
  /** Routing table for packets from this interface's addresses; only where there are several, and it is wanted. */
  readonly table: number | undefined;
  /** How MPTCP may use its addresses; undefined: no endpoint. */
  readonly endpoint: readonly EndpointFlag[] | undefined;
}

export interface Route {
  readonly network: string;
  readonly via: string;
  readonly device: string;
}

const METRIC_FIRST = 100;
const TABLE_FIRST = 101;

export function planHosts(topology: Topology): readonly HostPlan[] {
  return topology.hosts.map((host) => ({
    host,
    interfaces: planInterfaces(topology, host),
    routes: host.forward ? planRoutes(topology, host) : [],
    sysctls: planSysctls(host),
  }));
}

function planInterfaces({ links }: Topology, host: HostSpec): InterfacePlan[] {
  const mine = links.filter(({ hosts }) => hosts.includes(host.name));
  const several = mine.length > 1 && !host.forward;
  return mine.map((link, i) => {
    const side = link.hosts[0] === host.name ? 0 : 1;
    const { endpoints, enabled } = host.mptcp;
    // An address without a way round its link joins no connection that has not come by that link, and the attempts do
    // harm: as long as one is under way, the kernel waits with what it has to send again over another subflow.
    const isUplink = several && hasWayRound(links, link);
    const flags = endpoints === 'auto' ? (isUplink ? (['subflow'] as const) : undefined) : endpoints.get(link.name);
    return {
      device: link.name,
      mtu: link.mtu,
      addresses: link.addresses[side],
      peers: link.addresses[1 - side]!,
      defaultMetric: host.forward ? undefined : METRIC_FIRST + i,
      table: several && host.sourceRouting ? TABLE_FIRST + i : undefined,
      endpoint: enabled ? flags : undefined,
    };
  });
}

/** Shortest paths in links, over routers only; among equals the link named first. */
function planRoutes({ hosts, links }: Topology, from: HostSpec): Route[] {
  const forwards = new Map(hosts.map(({ name, forward }) => [name, forward]));
  /** First link on the way to each host reached. Bounded by the number of hosts. */
  const firstHop = new Map<string, { link: number; side: 0 | 1 }>();
  const waiting = [from.name];
  const routes: Route[] = [];
  const routed = new Set(links.flatMap(({ hosts: ends }, i) => (ends.includes(from.name) ? [i] : [])));
  for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
    for (const [i, link] of links.entries()) {
      const side = link.hosts.indexOf(at);
      if (side < 0) continue;
      const next = link.hosts[1 - side]!;
      const hop = firstHop.get(at) ?? { link: i, side: side as 0 | 1 };
      if (!routed.has(i)) {
        routed.add(i);
        routes.push(...routesOver(links[hop.link]!, hop.side, link.addresses[0]));
      }
      if (next === from.name || firstHop.has(next)) continue;
      firstHop.set(next, hop);
      if (forwards.get(next)) waiting.push(next);
    }
  }
  return routes;
}

function routesOver(link: Topology['links'][number], side: 0 | 1, networks: readonly InterfaceAddress[]): Route[] {
  return networks.flatMap((network) => {
    const via = link.addresses[1 - side]!.find(({ family }) => family === network.family);
    return via === undefined ? [] : [{ network: networkText(network), via: via.address, device: link.name }];
  });
}

/**
 * Experiments must not depend on what the kernel remembers from the one before, nor on its caution with strangers:
 * metrics of earlier connections, the MPTCP blackhole detection after a cut path, duplicate address detection (a second
 * without IPv6), reverse path filters (which drop what comes in by the second path).
 */
const LAB_SYSCTLS: readonly (readonly [string, string])[] = [
  ['net.ipv4.tcp_no_metrics_save', '1'],
  ['net.mptcp.blackhole_timeout', '0'],
  ['net.ipv4.conf.all.rp_filter', '0'],
  ['net.ipv4.conf.default.rp_filter', '0'],
  ['net.ipv6.conf.all.accept_dad', '0'],
  ['net.ipv6.conf.default.accept_dad', '0'],
  ['net.ipv6.conf.all.accept_ra', '0'],
  ['net.ipv6.conf.default.accept_ra', '0'],
  ['net.ipv6.conf.all.keep_addr_on_down', '1'],
  ['net.ipv6.conf.default.keep_addr_on_down', '1'],
];

function planSysctls({ forward, mptcp, sysctls }: HostSpec): Sysctl[] {
  const chosen: (readonly [string, string])[] = [['net.ipv4.ip_forward', forward ? '1' : '0']];
  if (forward) chosen.push(['net.ipv6.conf.all.forwarding', '1'], ['net.ipv6.conf.default.forwarding', '1']);
  return [
    ...[...LAB_SYSCTLS, ...chosen].map(([name, value]) => ({ name, value, required: false })),
    { name: 'net.mptcp.enabled', value: mptcp.enabled ? '1' : '0', required: false },
    ...sysctls.map(([name, value]) => ({ name, value, required: true })),
  ];
}

/** Lines for `ip -batch` that bring the host up, once its interfaces are there. */
export function hostCommands({ host, interfaces, routes }: HostPlan): string[] {
  return [
    'link set dev lo up',
    ...interfaces.flatMap(({ device, mtu, addresses }) => [
      `link set dev ${device} mtu ${mtu}`,
      ...addresses.map((address) => addressCommand('add', device, address)),
      `link set dev ${device} up`,
    ]),
    ...interfaces.flatMap(routeCommands),
    ...routes.map(({ network, via, device }) => `route replace ${network} via ${via} dev ${device}`),
    ...(host.mptcp.enabled ? mptcpCommands(host, interfaces) : []),
    // Sorted by family, since each change of family costs a run of `ip`.
    ...interfaces.flatMap((plan) => ruleCommands('add', plan)).sort((a, b) => b.localeCompare(a)),
  ];
}

/** The routes that the kernel forgets when the interface goes down. */
export function lostRoutes(plan: HostPlan, device: string): string[] {
  return [
    ...plan.interfaces.filter((one) => one.device === device).flatMap(routeCommands),
    ...plan.routes
      .filter((route) => route.device === device)
      .map(({ network, via }) => `route replace ${network} via ${via} dev ${device}`),
  ];
}

export function addressCommand(verb: 'add' | 'del', device: string, address: InterfaceAddress): string {
  const nodad = verb === 'add' && address.family === 6 ? ' nodad' : '';
  return `address ${verb} ${addressText(address)} dev ${device}${nodad}`;
}

const EVERYWHERE = { 4: '0.0.0.0/0', 6: '::/0' } as const;

export function routeCommands({ device, peers, addresses, defaultMetric, table }: InterfacePlan): string[] {
  if (defaultMetric === undefined) return [];
  return peers.flatMap(({ family, address }) => {
    const own = addresses.find((candidate) => candidate.family === family)!;
    const everywhere = `route replace ${EVERYWHERE[family]} via ${address} dev ${device}`;
    const first = [`${everywhere} metric ${defaultMetric}`];
    if (table === undefined) return first;
    const network = `route replace ${networkText(own)} dev ${device} src ${own.address} table ${table}`;
    return [...first, network, `${everywhere} table ${table}`];
  });
}

export function ruleCommands(verb: 'add' | 'del', { addresses, table }: InterfacePlan): string[] {
  if (table === undefined) return [];
  return addresses.map(
    ({ family, address }) => `${family === 6 ? '-6 ' : ''}rule ${verb} from ${address} lookup ${table}`,
  );
}

export function endpointCommand(device: string, address: InterfaceAddress, flags: readonly EndpointFlag[]): string {
  return `mptcp endpoint add ${address.address} dev ${device} ${flags.join(' ')}`.trimEnd();
}

function mptcpCommands({ mptcp }: HostSpec, interfaces: readonly InterfacePlan[]): string[] {
  return [
    `mptcp limits set subflows ${mptcp.subflows} add_addr_accepted ${mptcp.addAddrAccepted}`,
    ...interfaces.flatMap(({ device, addresses, endpoint }) =>
      endpoint === undefined ? [] : addresses.map((address) => endpointCommand(device, address, endpoint)),
    ),
  ];
}
