// What must be there for each path, what is, and the steps from one to the other. Pure.

import type { NetworkView } from '../netlink/network.ts';
import type { EndpointFlag, PmAddress, PmLimits } from '../wire/mptcp-pm.ts';
import { MAIN_TABLE, type Route, type RouteChange, type Rule, type RuleChange } from '../wire/rtnetlink.ts';
import {
  isOurEndpoint,
  isOurNumber,
  isOurRoute,
  isOurRule,
  NUMBER_FIRST,
  NUMBERS,
  noteOf,
  OUR_PROTOCOL,
  readNote,
} from './marks.ts';
import { networkOf } from './network-of.ts';
import { type Path, pathKey } from './path.ts';

/** Networks on other links that an address must reach without its gateway; more are left to the gateway. */
const NEIGHBOURS_MAX = 64;
/** MPTCP_PM_ADDR_MAX in net/mptcp/protocol.h: the kernel takes no larger limits. */
const LIMIT_MAX = 8;
/** Of the path's own network, and of the networks of other interfaces, which may be the same one. */
const METRIC_OWN = 1;
const METRIC_NEIGHBOUR = 2;

export type Step =
  | { readonly kind: 'set-route' | 'remove-route'; readonly route: RouteChange }
  | { readonly kind: 'add-rule' | 'remove-rule'; readonly rule: RuleChange }
  | {
      readonly kind: 'add-endpoint';
      readonly path: Path;
      readonly flags: readonly EndpointFlag[];
      readonly port: number;
    }
  | { readonly kind: 'set-flags' | 'delete-endpoint'; readonly endpoint: PmAddress }
  | { readonly kind: 'set-limits'; readonly limits: PmLimits };

export interface Present {
  readonly view: NetworkView;
  readonly endpoints: readonly PmAddress[];
  readonly limits: PmLimits;
}

/** Whose something is. */
export type Owner = 'ours' | 'others' | 'none';

/** Who leads packets from the path's address to its own gateway. */
export function ownerOfRouting(path: Path, { rules, routes }: NetworkView): Owner {
  const leading = rules.filter(({ plain, from }) => plain && from === path.address);
  const leads = ({ table }: Rule): boolean =>
    routes.some((route) => route.table === table && route.destination === undefined && route.index === path.index);
  if (leading.some((rule) => !isOurRule(rule) && leads(rule))) return 'others';
  return leading.some((rule) => isOurRule(rule) && leads(rule)) ? 'ours' : 'none';
}

export function ownerOfEndpoint({ address }: Path, endpoints: readonly PmAddress[], rules: readonly Rule[]): Owner {
  const there = endpoints.filter((endpoint) => endpoint.address === address && !endpoint.flags.includes('implicit'));
  if (there.length === 0) return 'none';
  return there.some((endpoint) => !isOurEndpoint(endpoint, rules)) ? 'others' : 'ours';
}

/**
 * Steps in the order in which they are safe: routes, then the rules that lead to them, then the endpoints that use both;
 * what goes, goes the other way round. `isDead`: nothing comes through there, although nobody said so.
 */
export function planSteps(paths: readonly Path[], present: Present, isDead: (path: Path) => boolean): Step[] {
  const { view, endpoints, limits } = present;
  const routed = paths.filter(
    (path) => path.trouble !== 'address not ready' && ownerOfRouting(path, view) !== 'others',
  );
  const numbers = numberPaths(routed, view);
  const usable = paths.filter((path) => path.trouble === undefined && !isDead(path));
  const wanted = usable.filter((path) => !path.spared && ownerOfEndpoint(path, endpoints, view.rules) !== 'others');
  return [
    ...goneEndpoints(wanted, endpoints, view),
    ...staleNotes(endpoints, view),
    ...goneRules(numbers, view),
    ...routeSteps(routed, numbers, view),
    ...newRules(routed, numbers, view),
    ...limitSteps(usable.length, wanted, limits),
    ...newFlags(wanted, endpoints),
    ...wanted
      .filter((path) => !endpoints.some((endpoint) => isEndpointOf(path, endpoint)))
      .map((path): Step => ({ kind: 'add-endpoint', path, flags: flagsOf(path), port: path.wanted.port })),
  ];
}

/** Takes back everything that bears our marks, but what is set up for the paths of `left`. */
export function planRemoval(
  { view, endpoints }: Pick<Present, 'view' | 'endpoints'>,
  left: readonly Path[] = [],
): Step[] {
  const numbers = numberPaths(left, view);
  return [
    ...goneEndpoints(left, endpoints, view),
    ...staleNotes(endpoints, view),
    ...goneRules(numbers, view),
    ...routeSteps(left, numbers, view),
  ];
}

/** The endpoint as it should be for the path, or could become so. */
function isEndpointOf(path: Path, { address, index, port, flags }: PmAddress): boolean {
  if (path.address !== address || path.index !== index || path.wanted.port !== port) return false;
  // Kernels before 6.18 know nothing of `laminar`, and leave it out without a word.
  return (
    FIXED.every((flag) => path.wanted[flag] === flags.includes(flag)) &&
    !(flags.includes('laminar') && !path.wanted.laminar)
  );
}

/** What cannot be changed without beginning anew. */
const FIXED = ['signal', 'subflow'] as const;
/** What can (mptcp_pm_nl_set_flags() in net/mptcp/pm_kernel.c); connections follow at once. */
const CHANGEABLE = ['backup', 'fullmesh'] as const;

export function flagsOf({ wanted, backup }: Path): EndpointFlag[] {
  const is = { ...wanted, backup };
  return (['signal', 'subflow', 'backup', 'fullmesh', 'laminar'] as const).filter((flag) => is[flag]);
}

function newFlags(wanted: readonly Path[], endpoints: readonly PmAddress[]): Step[] {
  return endpoints.flatMap((endpoint): Step[] => {
    const path = wanted.find((one) => isEndpointOf(one, endpoint));
    if (path === undefined) return [];
    const flags = flagsOf(path);
    if (CHANGEABLE.every((flag) => flags.includes(flag) === endpoint.flags.includes(flag))) return [];
    return [{ kind: 'set-flags', endpoint: { ...endpoint, flags } }];
  });
}

function goneEndpoints(wanted: readonly Path[], endpoints: readonly PmAddress[], { rules }: NetworkView): Step[] {
  return endpoints
    .filter((endpoint) => isOurEndpoint(endpoint, rules) && !wanted.some((path) => isEndpointOf(path, endpoint)))
    .map((endpoint) => ({ kind: 'delete-endpoint', endpoint }));
}

/** What is left when the endpoint could not be added, or somebody else has removed it. */
function staleNotes(endpoints: readonly PmAddress[], { rules }: NetworkView): Step[] {
  return rules.flatMap((rule): Step[] => {
    const noted = readNote(rule);
    if (noted === undefined) return [];
    if (endpoints.some(({ address, id }) => address === noted.address && id === noted.id)) return [];
    return [{ kind: 'remove-rule', rule: noteOf(noted) }];
  });
}

/** Each path's number: the one its rule has already, or a free one. Bounded by NUMBERS. */
function numberPaths(paths: readonly Path[], { rules }: NetworkView): Map<string, number> {
  const numbers = new Map<string, number>();
  const taken = new Set<number>();
  for (const rule of rules) {
    // Others may have come upon the same numbers.
    if (isOurNumber(rule.table)) taken.add(rule.table);
    if (!isOurRule(rule)) continue;
    const path = paths.find(({ address }) => address === rule.from);
    if (path !== undefined && !numbers.has(pathKey(path))) numbers.set(pathKey(path), rule.table);
  }
  for (const path of paths) {
    if (numbers.has(pathKey(path))) continue;
    for (let number = NUMBER_FIRST; number < NUMBER_FIRST + NUMBERS; number++) {
      if (taken.has(number)) continue;
      taken.add(number);
      numbers.set(pathKey(path), number);
      break;
    }
  }
  return numbers;
}

function newRules(paths: readonly Path[], numbers: ReadonlyMap<string, number>, { rules }: NetworkView): Step[] {
  const there = rules.filter(isOurRule);
  return paths.flatMap((path): Step[] => {
    const number = numbers.get(pathKey(path));
    if (number === undefined || there.some(({ table, from }) => table === number && from === path.address)) return [];
    const rule = ruleOf(path.family, number, path.address);
    return [{ kind: 'add-rule', rule }];
  });
}

function ruleOf(family: 4 | 6, number: number, from: string): RuleChange {
  return { family, priority: number, table: number, protocol: OUR_PROTOCOL, from };
}

function goneRules(numbers: ReadonlyMap<string, number>, { rules }: NetworkView): Step[] {
  const wanted = new Set([...numbers].map(([key, number]) => `${key.slice(key.indexOf(' ') + 1)} ${number}`));
  return rules.filter(isOurRule).flatMap(({ family, table, from }): Step[] => {
    if (from === undefined || wanted.has(`${from} ${table}`)) return [];
    return [{ kind: 'remove-rule', rule: ruleOf(family, table, from) }];
  });
}

function routeSteps(paths: readonly Path[], numbers: ReadonlyMap<string, number>, view: NetworkView): Step[] {
  const wanted = paths.flatMap((path) => {
    const number = numbers.get(pathKey(path));
    // Over an interface that is down the kernel takes no routes.
    return number === undefined || path.trouble === 'interface down' ? [] : routesOf(path, number, view);
  });
  const there = view.routes.filter(isOurRoute);
  const same = (a: RouteChange, b: Route): boolean => routeText(a) === routeText(b) && a.gateway === b.gateway;
  return [
    ...there
      .filter((route) => !wanted.some((one) => routeText(one) === routeText(route)))
      .map((route): Step => ({ kind: 'remove-route', route })),
    ...wanted
      .filter((one) => !there.some((route) => same(one, route)))
      .map((route): Step => ({ kind: 'set-route', route })),
  ];
}

/** All but the gateway: setting a route replaces the one of this description. */
function routeText({ family, table, destination, prefix, metric, index }: RouteChange): string {
  return `${family} ${table} ${destination}/${prefix} ${metric} ${index}`;
}

/** The path's own network, the networks on other links, and everything else by the gateway. */
function routesOf(path: Path, table: number, { routes }: NetworkView): RouteChange[] {
  const { family, index, address, prefix, gateway } = path;
  const common = { family, table, protocol: OUR_PROTOCOL } as const;
  const width = family === 4 ? 32 : 128;
  const source = family === 4 ? address : undefined;
  const made: RouteChange[] = [];
  if (prefix < width) {
    const destination = networkOf(address, prefix);
    made.push({ ...common, destination, prefix, index, gateway: undefined, source, metric: METRIC_OWN });
  }
  // An answer to a neighbour who came in by another interface must not go out by this path's gateway.
  const neighbours = routes.filter(
    (route) =>
      route.family === family &&
      route.table === MAIN_TABLE &&
      route.onLink &&
      route.destination !== undefined &&
      route.index !== index &&
      route.index !== 0 &&
      !/^fe80:/.test(route.destination),
  );
  for (const { destination, prefix: length, index: by } of neighbours.slice(0, NEIGHBOURS_MAX)) {
    const metric = METRIC_NEIGHBOUR;
    const one = { ...common, destination, prefix: length, index: by, gateway: undefined, source: undefined, metric };
    if (!made.some((other) => routeText(other) === routeText(one))) made.push(one);
  }
  made.push({ ...common, destination: undefined, prefix: 0, index, gateway, source, metric: METRIC_OWN });
  return made;
}

export function isSameLimits(a: PmLimits, b: PmLimits): boolean {
  return a.subflows === b.subflows && a.acceptedAddresses === b.acceptedAddresses;
}

/**
 * Room for a subflow on every path, and for those that are still ending while their successors begin. Addresses that
 * peers announce are taken up where endpoints are made for that; else the kernel would join them over whatever path
 * leads there.
 */
function limitSteps(usable: number, wanted: readonly Path[], limits: PmLimits): Step[] {
  const takesUp = wanted.some((path) => path.wanted.fullmesh || path.wanted.laminar);
  const next: PmLimits = {
    subflows: usable < 2 && !takesUp ? limits.subflows : LIMIT_MAX,
    acceptedAddresses: takesUp ? LIMIT_MAX : limits.acceptedAddresses,
  };
  const isEnough = limits.subflows >= next.subflows && limits.acceptedAddresses >= next.acceptedAddresses;
  return isEnough ? [] : [{ kind: 'set-limits', limits: next }];
}
