// Finds the paths in a picture of the network. Pure.

import type { EndpointConfig } from '../config/config.ts';
import type { NetworkView } from '../netlink/network.ts';
import { type Address, type Link, MAIN_TABLE, type Route } from '../wire/rtnetlink.ts';
import { guessKind } from './kind.ts';
import { isOurNumber } from './marks.ts';
import { type Path, type PathTrouble, pathKey } from './path.ts';

/** Paths of one machine; the others are left out. */
const PATHS_MAX = 32;
/** Of a path without a default route in the main table. */
const METRIC_LAST = 0xffff_ffff;
/** Further subflows from there, and nothing else. */
const PLAIN_ENDPOINT: EndpointConfig = {
  subflow: true,
  backup: false,
  fullmesh: false,
  signal: false,
  laminar: false,
  port: 0,
};

export interface Gateway {
  /** `undefined`: everything is on the link. */
  readonly address: string | undefined;
  readonly metric: number;
}

/** What was seen of a path before; the kernel forgets routes with an interface that goes down. */
export type KnownGateways = ReadonlyMap<string, Gateway>;

/** What its owner makes of a path; `undefined`: it is none. */
export type Judge = (found: Path) => Path | undefined;

/** Tunnels are none of ours: what they carry leaves by another path. */
export function refuseTunnel(found: Path): Path | undefined {
  return found.kind === 'tunnel' ? undefined : found;
}

/**
 * For each interface and family at most one path: over the address that new connections would take there. The one that
 * is preferred comes first.
 */
export function discoverPaths(
  view: NetworkView,
  known: KnownGateways = new Map(),
  judge: Judge = refuseTunnel,
): Path[] {
  const routes = view.routes.filter(({ destination }) => destination === undefined);
  const best = new Map<string, Address>();
  for (const address of view.addresses) {
    if (!address.global) continue;
    const key = `${address.index} ${address.family}`;
    const before = best.get(key);
    if (before === undefined || rank(address) > rank(before)) best.set(key, address);
  }
  const paths: Path[] = [];
  for (const address of best.values()) {
    const link = view.links.get(address.index);
    if (link === undefined || link.loopback || link.master !== 0) continue;
    const found = describe(link, address, findGateway(view, routes, address, known));
    const path = found === undefined ? undefined : judge(found);
    if (path !== undefined) paths.push(path);
  }
  paths.sort((a, b) => a.priority - b.priority || a.metric - b.metric || a.index - b.index || a.family - b.family);
  return paths.slice(0, PATHS_MAX);
}

/** As source address selection has it (RFC 6724 §5): ready, not deprecated, worldwide before local, temporary before. */
function rank({ family, address, tentative, deprecated, secondary }: Address): number {
  const isTemporary = family === 6 && secondary;
  const isAlias = family === 4 && secondary;
  const isLocal = family === 6 && /^f[cd]/.test(address);
  return (tentative ? 0 : 16) + (deprecated ? 0 : 8) + (isLocal ? 0 : 4) + (isTemporary ? 2 : 0) + (isAlias ? 0 : 1);
}

function describe(link: Link, address: Address, gateway: Gateway | undefined): Path | undefined {
  const kind = guessKind(link);
  // An interface that never led anywhere, as bridges of containers do not, is no path; one that is down may be again.
  if (gateway === undefined) return undefined;
  return {
    name: link.name,
    interface: link.name,
    index: link.index,
    family: address.family,
    address: address.address,
    prefix: address.prefix,
    gateway: gateway.address,
    metric: gateway.metric,
    kind,
    cost: kind === 'cellular' ? 'metered' : 'free',
    priority: 0,
    backup: false,
    spent: false,
    spared: false,
    wanted: PLAIN_ENDPOINT,
    budget: undefined,
    trouble: troubleOf(link, address),
  };
}

function troubleOf(link: Link, address: Address): PathTrouble | undefined {
  if (!link.up) return 'interface down';
  if (!link.carrier) return 'no carrier';
  return address.tentative ? 'address not ready' : undefined;
}

/**
 * The gateway by the main table; by the table that a rule names for this address; by what was known before; by our own
 * table, as after a crash.
 */
function findGateway(
  view: NetworkView,
  defaults: readonly Route[],
  address: Address,
  known: KnownGateways,
): Gateway | undefined {
  const { family, index } = address;
  const out = defaults.filter((route) => route.family === family && route.index === index);
  const tables = view.rules.filter((rule) => rule.plain && rule.from === address.address).map(({ table }) => table);
  const inTables = (wanted: readonly number[]) =>
    out.filter(({ table }) => wanted.includes(table)).sort((a, b) => a.metric - b.metric)[0];
  const main = inTables([MAIN_TABLE]);
  if (main !== undefined) return { address: main.gateway, metric: main.metric };
  const theirs = inTables(tables.filter((table) => !isOurNumber(table)));
  if (theirs !== undefined) return { address: theirs.gateway, metric: METRIC_LAST };
  const before = known.get(pathKey(address));
  if (before !== undefined) return before;
  const ours = inTables(tables);
  return ours === undefined ? undefined : { address: ours.gateway, metric: METRIC_LAST };
}
