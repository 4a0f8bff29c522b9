// Strategy `gateways`: subflows of one address that leave by different gateways of its interface.
//
// What tells them apart is their source port, by a rule `from ADDRESS sport FROM-TO` to a table with that gateway. A mark
// (SO_MARK) cannot: it is one for the whole connection, and the kernel gives it to every subflow. Source-routed IP
// headers are dropped by routers (RFC 7126 §4.3).

import type { NetworkView } from '../../netlink/network.ts';
import { MAIN_TABLE, type RouteChange, type RuleChange } from '../../wire/rtnetlink.ts';
import { OUR_PROTOCOL } from '../marks.ts';
import { networkOf } from '../network-of.ts';
import type { Path } from '../path.ts';
import type { Step } from '../plan.ts';
import type { PortRange } from './desired.ts';

/** A rule's priority and its table, before the rules of the paths' own gateways. */
const NUMBER_FIRST = 17_200;
/** Of one address, besides the path's own. */
const GATEWAYS_MAX = 7;
const ADDRESSES_MAX = 12;
const NUMBERS = GATEWAYS_MAX * ADDRESSES_MAX;
/** Above the ports that the kernel chooses from by itself (net.ipv4.ip_local_port_range). */
const PORT_FIRST = 61_000;
const PORTS = 512;
const METRIC_OWN = 1;

export function isGatewayNumber(number: number): boolean {
  return number >= NUMBER_FIRST && number < NUMBER_FIRST + NUMBERS;
}

/** Takes back what one of us that was killed has left. */
export function planGatewayRemoval(view: NetworkView): Step[] {
  return new Gateways().plan([], view);
}

interface Slot {
  readonly path: Path;
  readonly gateway: string;
  readonly number: number;
}

/** Remembers which gateway has which ports: subflows in being depend on it. */
export class Gateways {
  /** Address by place, and its gateways by place. Bounded by ADDRESSES_MAX and GATEWAYS_MAX. */
  readonly #addresses: { readonly address: string; readonly gateways: (string | undefined)[] }[] = [];
  #slots: readonly Slot[] = [];

  /** Ports whose packets leave by the further gateways of a path. */
  portsOf(path: Path): PortRange[] {
    return this.#slots.filter(({ path: { address } }) => address === path.address).map(({ number }) => portsOf(number));
  }

  /** Steps towards a table and a rule for every further gateway of the paths; for none when it is given no paths. */
  plan(paths: readonly Path[], view: NetworkView): Step[] {
    this.#assign(paths, view);
    const routes = this.#slots.flatMap(routesOf);
    const rules = this.#slots.map(ruleOf);
    const ours = view.routes.filter(({ table, protocol }) => protocol === OUR_PROTOCOL && isGatewayNumber(table));
    const ruled = view.rules.filter(
      ({ priority, table, protocol }) => protocol === OUR_PROTOCOL && priority === table && isGatewayNumber(table),
    );
    return [
      ...ruled
        .filter((rule) => !rules.some((one) => one.table === rule.table && one.from === rule.from))
        .flatMap(({ family, table, from }): Step[] => {
          return from === undefined ? [] : [{ kind: 'remove-rule', rule: ruleFor(family, table, from) }];
        }),
      ...ours
        .filter((route) => !routes.some((one) => isSame(one, route)))
        .map((route): Step => ({ kind: 'remove-route', route })),
      ...routes
        .filter((one) => !ours.some((route) => isSame(one, route)))
        .map((route): Step => ({ kind: 'set-route', route })),
      ...rules
        .filter((one) => !ruled.some((rule) => rule.table === one.table && rule.from === one.from))
        .map((rule): Step => ({ kind: 'add-rule', rule })),
    ];
  }

  #assign(paths: readonly Path[], view: NetworkView): void {
    const slots: Slot[] = [];
    for (const path of paths) {
      const others = path.trouble === undefined ? furtherGateways(path, view) : [];
      if (others.length === 0) continue;
      const place = this.#placeOf(path.address, paths);
      if (place === undefined) break;
      const { gateways } = this.#addresses[place]!;
      for (const [at, gateway] of gateways.entries()) if (!others.includes(gateway ?? '')) gateways[at] = undefined;
      for (const gateway of others) {
        const known = gateways.indexOf(gateway);
        const at = known >= 0 ? known : firstFree(gateways);
        if (at >= GATEWAYS_MAX) break;
        gateways[at] = gateway;
        slots.push({ path, gateway, number: NUMBER_FIRST + place * GATEWAYS_MAX + at });
      }
    }
    this.#slots = slots;
  }

  #placeOf(address: string, paths: readonly Path[]): number | undefined {
    const known = this.#addresses.findIndex((one) => one.address === address);
    if (known >= 0) return known;
    const free = this.#addresses.findIndex((one) => !paths.some((path) => path.address === one.address));
    const place = free >= 0 ? free : this.#addresses.length;
    if (place >= ADDRESSES_MAX) return undefined;
    this.#addresses[place] = { address, gateways: [] };
    return place;
  }
}

function firstFree(gateways: readonly (string | undefined)[]): number {
  const hole = gateways.indexOf(undefined);
  return hole >= 0 ? hole : gateways.length;
}

/** Other default routes over the path's interface, in order of preference. */
function furtherGateways({ family, index, gateway: own }: Path, { routes }: NetworkView): string[] {
  const found = routes
    .filter((route) => route.family === family && route.index === index && route.table === MAIN_TABLE)
    .filter(({ destination, gateway }) => destination === undefined && gateway !== undefined && gateway !== own)
    .sort((a, b) => a.metric - b.metric)
    .map(({ gateway }) => gateway as string);
  return [...new Set(found)];
}

function portsOf(number: number): PortRange {
  const from = PORT_FIRST + ((number - NUMBER_FIRST) % GATEWAYS_MAX) * PORTS;
  return { from, to: from + PORTS - 1 };
}

function ruleOf({ path: { family, address }, number }: Slot): RuleChange {
  return ruleFor(family, number, address);
}

function ruleFor(family: 4 | 6, number: number, from: string): RuleChange {
  const { from: first, to: last } = portsOf(number);
  return { family, priority: number, table: number, protocol: OUR_PROTOCOL, from, ports: [first, last] };
}

function routesOf({ path, gateway, number }: Slot): RouteChange[] {
  const { family, index, address, prefix } = path;
  const source = family === 4 ? address : undefined;
  const common = { family, table: number, protocol: OUR_PROTOCOL, index, source, metric: METRIC_OWN } as const;
  const network = { ...common, destination: networkOf(address, prefix), prefix, gateway: undefined };
  const all = { ...common, destination: undefined, prefix: 0, gateway };
  return prefix < (family === 4 ? 32 : 128) ? [network, all] : [all];
}

function isSame(a: RouteChange, b: RouteChange): boolean {
  return (
    a.table === b.table &&
    a.family === b.family &&
    a.destination === b.destination &&
    a.prefix === b.prefix &&
    a.gateway === b.gateway &&
    a.index === b.index
  );
}
