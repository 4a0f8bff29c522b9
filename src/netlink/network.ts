// A picture of the network as the kernel has it: links, addresses, rules, and those routes that make paths.

import type { Address, Link, Route, RouteMessage, RouteSubject, Rule } from '../wire/rtnetlink.ts';

/** Of each kind. A machine with more has a routing daemon, and no use for this. */
const ENTRIES_MAX = 16_384;

export interface NetworkView {
  readonly links: ReadonlyMap<number, Link>;
  readonly addresses: readonly Address[];
  /** Default routes, networks on the link, and all of the tables that were asked for. */
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
}

export class Network implements NetworkView {
  /** By index. This and the others are bounded by ENTRIES_MAX. */
  readonly #links = new Map<number, Link>();
  readonly #addresses = new Map<string, Address>();
  readonly #routes = new Map<string, Route>();
  readonly #rules = new Map<string, Rule>();
  readonly #keepTable: (table: number) => boolean;

  /** Routes of tables that `keepTable` names are kept whatever they are. */
  constructor(keepTable: (table: number) => boolean = () => false) {
    this.#keepTable = keepTable;
  }

  get links(): ReadonlyMap<number, Link> {
    return this.#links;
  }

  get addresses(): readonly Address[] {
    return [...this.#addresses.values()];
  }

  get routes(): readonly Route[] {
    return [...this.#routes.values()];
  }

  get rules(): readonly Rule[] {
    return [...this.#rules.values()];
  }

  /** Before the list of one kind begins. */
  forget(subject: RouteSubject): void {
    const kept = { link: this.#links, address: this.#addresses, route: this.#routes, rule: this.#rules };
    kept[subject].clear();
  }

  /** Takes in a notification or a piece of a list; true when it changed the picture. */
  apply(message: RouteMessage): boolean {
    switch (message.kind) {
      case 'link':
        return this.#applyLink(message.link, message.removed);
      case 'address':
        return put(this.#addresses, addressKey(message.address), message.address, message.removed);
      case 'route':
        return this.concerns(message.route)
          ? put(this.#routes, routeKey(message.route), message.route, message.removed)
          : false;
      case 'rule':
        return put(this.#rules, ruleKey(message.rule), message.rule, message.removed);
      default:
        return false;
    }
  }

  /** Whether a route is of those that are kept. */
  concerns(route: Route): boolean {
    return route.unicast && (route.destination === undefined || route.onLink || this.#keepTable(route.table));
  }

  #applyLink(link: Link, removed: boolean): boolean {
    if (removed) {
      for (const [key, { index }] of this.#addresses) if (index === link.index) this.#addresses.delete(key);
    }
    return put(this.#links, link.index, link, removed);
  }
}

/** Whether that changed anything. Beyond the bound nothing is taken in. */
function put<Key, Value extends object>(map: Map<Key, Value>, key: Key, value: Value, removed: boolean): boolean {
  if (removed) return map.delete(key);
  const before = map.get(key);
  if (before === undefined && map.size >= ENTRIES_MAX) return false;
  map.set(key, value);
  return before === undefined || !isSame(before, value);
}

function isSame(a: object, b: object): boolean {
  const [before, after] = [a, b] as Readonly<Record<string, unknown>>[];
  return Object.keys(after!).every((key) => before![key] === after![key]);
}

function addressKey({ index, address, prefix }: Address): string {
  return `${index} ${address}/${prefix}`;
}

function routeKey({ family, table, destination, prefix, metric, index, gateway }: Route): string {
  return `${family} ${table} ${destination}/${prefix} ${metric} ${index} ${gateway}`;
}

function ruleKey({ family, priority, table, from, fromPrefix, plain, protocol }: Rule): string {
  return `${family} ${priority} ${table} ${from}/${fromPrefix} ${plain} ${protocol}`;
}
