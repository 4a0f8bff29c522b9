// Which outbound a connection takes: the first rule whose conditions all hold decides, and without one `direct`.
//
// A condition on the destination's address is about the address the connection would go to, also when the client asked
// for a name. So a name is judged once for each address it resolves to, by name and address together, in the order of
// the rules: a `deny` of 10.0.0.0/8 cannot be passed by a name that resolves (now, or at the second look) to 10.1.2.3,
// and a rule that takes a name before that `deny` lets it through wherever the name leads. That is why the question has
// two steps: `decide` before the name is resolved, `decideAddress` or `filterAddresses` for each address after it.

import { canonicalIp, ipToBytes } from '../wire/ip.ts';
import { DomainSet } from './domain-set.ts';
import { NetworkSet } from './network-set.ts';
import { isWithin, type WeekSpan } from './week-time.ts';

/** The conditions and the outcome of a rule: what `RuleConfig` of the configuration holds. */
export interface Rule {
  readonly when: {
    readonly inbound?: readonly string[];
    readonly source?: readonly string[];
    readonly user?: readonly string[];
    /** Uids. */
    readonly account?: readonly number[];
    readonly domain?: readonly string[];
    readonly address?: readonly string[];
    readonly port?: readonly (readonly [number, number])[];
    readonly time?: readonly WeekSpan[];
  };
  readonly use: string;
}

export interface Question {
  readonly inbound: string;
  readonly inboundType: string;
  /** The client's address, canonical. */
  readonly source: string;
  readonly user: string | undefined;
  /** Uid of the program that opened the connection, if it runs on this machine. Wanted only where `asksAccount`. */
  readonly account: number | undefined;
  /** As in a `Destination`: canonical address or domain name. */
  readonly host: string;
  readonly port: number;
  /** Of the week, as in a `WeekSpan`: when it is asked. */
  readonly minute: number;
}

export type Decision =
  /** Decided. `use` is an outbound's name or `deny`; no address can change it. */
  | { readonly kind: 'use'; readonly use: string }
  /**
   * A name, and every address it may resolve to leads to `use` or to `deny`. The outbound is known, but every address
   * must pass `filterAddresses` before it is connected to. An upstream proxy would resolve the name itself, past the
   * check: resolve here, and ask it for an address that passed.
   */
  | { readonly kind: 'use-checked'; readonly use: string }
  /** A name whose addresses decide between outbounds: resolve it, then ask `decideAddress` for each. */
  | { readonly kind: 'needs-address' };

export const DENY = 'deny';
export const DIRECT = 'direct';

export interface Rules {
  decide(question: Question): Decision;
  /** The outbound, or `deny`, for a connection to `address`, which the question's name resolved to. */
  decideAddress(question: Question, address: string): string;
  /** Those of `addresses` whose decision is `use`, in their order. */
  filterAddresses(question: Question, use: string, addresses: readonly string[]): string[];
  /** Another text, other rules hold at that minute of the week; `undefined`: no rule asks for the time. */
  phase(minute: number): string | undefined;
  /** Some rule has a condition on the account. */
  readonly asksAccount: boolean;
}

/** `rules` as checked by the configuration; throws a RangeError on a malformed network. */
export function compileRules(rules: readonly Rule[]): Rules {
  const compiled = rules.map(compileRule);
  const times = rules.flatMap(({ when }) => (when.time === undefined ? [] : [when.time]));

  function decideAddress(question: Question, address: string): string {
    const bytes = ipToBytes(address);
    const decider = compiled.find((rule) => rule.holds(question) && (rule.addresses?.hasBytes(bytes) ?? true));
    return decider?.use ?? DIRECT;
  }

  return {
    decideAddress,
    asksAccount: rules.some(({ when }) => when.account !== undefined),
    decide(question) {
      if (canonicalIp(question.host) !== undefined) return { kind: 'use', use: decideAddress(question, question.host) };
      return decideName(compiled, question);
    },
    filterAddresses(question, use, addresses) {
      return addresses.filter((address) => decideAddress(question, address) === use);
    },
    phase(minute) {
      return times.length === 0 ? undefined : times.map((spans) => Number(isWithin(spans, minute))).join('');
    },
  };
}

interface CompiledRule {
  readonly use: string;
  readonly addresses: NetworkSet | undefined;
  /** All conditions but that on the address. */
  holds(question: Question): boolean;
}

function compileRule({ when, use }: Rule): CompiledRule {
  const checks: ((question: Question) => boolean)[] = [];
  if (when.inbound !== undefined) {
    const inbounds = new Set(when.inbound);
    checks.push(({ inbound, inboundType }) => inbounds.has(inbound) || inbounds.has(inboundType));
  }
  if (when.port !== undefined) {
    const ranges = when.port;
    checks.push(({ port }) => ranges.some(([from, to]) => from <= port && port <= to));
  }
  if (when.time !== undefined) {
    const spans = when.time;
    checks.push(({ minute }) => isWithin(spans, minute));
  }
  if (when.user !== undefined) {
    const users = new Set(when.user);
    checks.push(({ user }) => user !== undefined && users.has(user));
  }
  if (when.account !== undefined) {
    const accounts = new Set(when.account);
    checks.push(({ account }) => account !== undefined && accounts.has(account));
  }
  if (when.domain !== undefined) {
    const domains = new DomainSet(when.domain);
    // An address is no domain, although its text has dots.
    checks.push(({ host }) => canonicalIp(host) === undefined && domains.has(host));
  }
  if (when.source !== undefined) {
    const sources = new NetworkSet(when.source);
    checks.push(({ source }) => sources.has(source));
  }
  const addresses = when.address === undefined ? undefined : new NetworkSet(when.address);
  return { use, addresses, holds: (question) => checks.every((check) => check(question)) };
}

/** Gathers the outcomes that are possible for a name before its addresses are known. */
function decideName(compiled: readonly CompiledRule[], question: Question): Decision {
  const possible = new Set<string>();
  let last = DIRECT;
  for (const rule of compiled) {
    if (!rule.holds(question)) continue;
    if (rule.addresses === undefined) {
      last = rule.use;
      break;
    }
    possible.add(rule.use);
  }
  possible.add(last);
  const [first, second] = [...possible].sort((a, b) => Number(a === DENY) - Number(b === DENY));
  if (second === undefined) return { kind: 'use', use: first as string };
  return possible.size === 2 && second === DENY
    ? { kind: 'use-checked', use: first as string }
    : { kind: 'needs-address' };
}
