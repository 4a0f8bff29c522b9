// Which outbound a flow takes, and which addresses it may reach: the rules and access policies of one configuration.
//
// A name can be judged before it is resolved, after, or both (see routing/rules.ts), which makes a route one of three:
// taken as it is, taken for those addresses that pass, or chosen by the addresses.

import type { Config, InboundConfig, OutboundConfig, RuleConfig, Wish } from '../config/config.ts';
import { formatWish } from '../config/wish.ts';
import { type Access, compileAccess, isLoopback } from '../routing/access.ts';
import { compileRules, DENY, type Question, type Rules } from '../routing/rules.ts';
import type { Destination } from '../wire/destination.ts';
import { minuteOfWeek } from './wall-clock.ts';

export interface RouteQuery {
  readonly inbound: InboundConfig;
  /** The client's address. */
  readonly source: string;
  readonly user: string | undefined;
  /** Of a client of this machine; looked at only when a rule wants to know. */
  readonly account: { readonly uid: number | undefined };
  readonly destination: Destination;
}

export interface Route {
  /** Name of the outbound. */
  readonly name: string;
  /** The first opens the TCP connection, the last is asked for the destination. At least one. */
  readonly chain: readonly OutboundConfig[];
  /** The name must be resolved here even when a proxy could do it: which addresses are right is ours to say. */
  readonly checked: boolean;
  /** What the paths are to be used for; `undefined`: the rule does not say. */
  readonly wish: Wish | undefined;
  /** Whether the destination may be at this address. */
  permits(address: string): boolean;
}

export type RouteSearch =
  | { readonly kind: 'denied' }
  | { readonly kind: 'found'; readonly route: Route }
  /** Resolve the name, then ask `among` with all of its addresses; `undefined`: denied. */
  | { readonly kind: 'by-address'; among(addresses: readonly string[]): Route | undefined };

export class Routes {
  readonly #rules: Rules;
  readonly #access: ReadonlyMap<string, Access>;
  readonly #chains: ReadonlyMap<string, readonly OutboundConfig[]>;
  /** By what the rules are compiled with: rules of one outbound and different wishes lead to different things. */
  readonly #outcomes: ReadonlyMap<string, RuleConfig>;
  #own: ReadonlySet<string>;

  /** `own`: the machine's addresses as of now. */
  constructor(config: Config, own: ReadonlySet<string>) {
    this.#outcomes = new Map(config.rules.map((rule) => [outcomeOf(rule), rule]));
    this.#rules = compileRules(config.rules.map((rule) => ({ when: rule.when, use: outcomeOf(rule) })));
    this.#access = new Map(config.inbounds.map((inbound) => [inbound.name, compileAccess(inbound)]));
    const outbounds = new Map(config.outbounds.map((outbound) => [outbound.name, outbound]));
    this.#chains = new Map(config.outbounds.map((outbound) => [outbound.name, chainOf(outbound, outbounds)]));
    this.#own = own;
  }

  get ownAddresses(): ReadonlySet<string> {
    return this.#own;
  }

  set ownAddresses(own: ReadonlySet<string>) {
    this.#own = own;
  }

  /** Whether a client of this address may connect to the inbound. */
  admits(inbound: InboundConfig, client: string): boolean {
    return this.#accessOf(inbound).admits(client);
  }

  /** Other rules hold when it is another text; `undefined`: no rule asks for the time. */
  phase(now: number): string | undefined {
    return this.#rules.phase(minuteOfWeek(now));
  }

  /** `now`: milliseconds since 1970. What is found holds for the rules of that moment. */
  find(query: RouteQuery, now: number): RouteSearch {
    const { inbound, source, user, destination } = query;
    const { host, port } = destination;
    const minute = minuteOfWeek(now);
    const account = this.#accountOf(query);
    const question: Question = {
      inbound: inbound.name,
      inboundType: inbound.type,
      source,
      user,
      account,
      host,
      port,
      minute,
    };
    // A fixed target is the configuration's own choice, not the client's.
    if (inbound.type !== 'forward' && !this.#accessOf(inbound).mayAsk(source, host, this.#own)) {
      return { kind: 'denied' };
    }
    const decision = this.#rules.decide(question);
    if (decision.kind === 'needs-address') {
      return { kind: 'by-address', among: (addresses) => this.#among(query, question, addresses) };
    }
    if (decision.use === DENY) return { kind: 'denied' };
    return { kind: 'found', route: this.#route(query, question, decision.use, decision.kind === 'use-checked') };
  }

  /** The outbound of the first address that may be reached, for all the addresses that share it. */
  #among(query: RouteQuery, question: Question, addresses: readonly string[]): Route | undefined {
    for (const address of addresses) {
      const use = this.#rules.decideAddress(question, address);
      if (use === DENY) continue;
      const route = this.#route(query, question, use, true);
      if (route.permits(address)) return route;
    }
    return undefined;
  }

  #route(query: RouteQuery, question: Question, use: string, checked: boolean): Route {
    const access = this.#accessOf(query.inbound);
    const { use: name, wish } = this.#outcomes.get(use) ?? { use, wish: undefined };
    const chain = this.#chains.get(name) ?? [];
    const guarded = query.inbound.type !== 'forward';
    const permits = (address: string) => {
      if (guarded && !access.mayReach(query.source, address, this.#own)) return false;
      return !checked || this.#rules.filterAddresses(question, use, [address]).length > 0;
    };
    return { name, chain, checked, wish, permits };
  }

  /** Not asked for where no rule wants to know. */
  #accountOf({ source, account }: RouteQuery): number | undefined {
    if (!this.#rules.asksAccount) return undefined;
    return isLoopback(source) || this.#own.has(source) ? account.uid : undefined;
  }

  #accessOf(inbound: InboundConfig): Access {
    // An inbound that a reload has removed keeps its policy for the connections that it still has.
    return this.#access.get(inbound.name) ?? compileAccess(inbound);
  }
}

/** A name of an outbound holds no space. */
function outcomeOf({ use, wish }: RuleConfig): string {
  return wish === undefined || use === DENY ? use : `${use} ${formatWish(wish)}`;
}

/** From the outbound that opens the connection to the one that is asked for. The configuration has checked that it ends. */
function chainOf(outbound: OutboundConfig, outbounds: ReadonlyMap<string, OutboundConfig>): OutboundConfig[] {
  const via = outbound.via === undefined ? undefined : outbounds.get(outbound.via);
  return via === undefined ? [outbound] : [...chainOf(via, outbounds), outbound];
}
