// Asking: the name servers by c-ares, which tells the time to live but knows nothing of search domains and mDNS, and
// the system's resolver (getaddrinfo), which is the other way round. No cache and no bound here; see resolver.ts.

import { promises as dns } from 'node:dns';

import { canonicalIp, familyOf } from '../wire/ip.ts';

/** RFC 8305 §3: how long the IPv4 addresses wait for the IPv6 ones. */
export const RESOLUTION_DELAY_MS = 50;
/** More addresses than this of one name and family are left out. */
const ADDRESSES_MAX = 64;
/** getaddrinfo does not tell for how long its answer holds. */
const SYSTEM_TTL_MS = 30_000;
/** When one family failed, the other's answer is kept for no longer than this, so that the question is asked again. */
const HALF_ANSWER_TTL_MS = 30_000;

export type Answer =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[]; readonly ttlMs: number }
  /** The name does not exist, or has no address (of this family). */
  | { readonly kind: 'none'; readonly detail: string }
  /** `offline`: no name server could be reached at all. */
  | { readonly kind: 'failed'; readonly timedOut: boolean; readonly offline: boolean; readonly detail: string };

/** The part of node:dns that is used, so that tests can put something else in its place. */
export interface DnsClient {
  resolve4(name: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  resolve6(name: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  /** Ends all that is being asked. */
  cancel(): void;
}

export type SystemLookup = (name: string) => Promise<{ address: string }[]>;

/** `servers` as `address`, `address:port` or `[v6]:port`; none: those of /etc/resolv.conf, as it is now. */
export function openDnsClient(servers: readonly string[], tryTimeoutMs: number, tries: number): DnsClient {
  const resolver = new dns.Resolver({ timeout: tryTimeoutMs, tries });
  if (servers.length > 0) resolver.setServers(servers);
  return resolver;
}

export const systemLookup: SystemLookup = (name) => dns.lookup(name, { all: true, verbatim: true });

/**
 * Asks for both families at once. `onEarly` is called at most once, with the addresses of the family that answered
 * first, when connecting may begin although the other is still out: at once for IPv6, after the resolution delay for
 * IPv4 (RFC 8305 §3).
 */
export async function askNameServers(
  client: DnsClient,
  name: string,
  onEarly: (addresses: readonly string[], ttlMs: number) => void,
): Promise<Answer> {
  let outstanding = 2;
  let delay: NodeJS.Timeout | undefined;
  const early = (answer: Answer, delayMs: number): Answer => {
    outstanding--;
    if (outstanding === 0) clearTimeout(delay);
    else if (answer.kind === 'addresses') {
      const deliver = (): void => onEarly(answer.addresses, Math.min(answer.ttlMs, HALF_ANSWER_TTL_MS));
      if (delayMs === 0) deliver();
      else delay = setTimeout(deliver, delayMs);
    }
    return answer;
  };
  const [six, four] = await Promise.all([
    answerOf(() => client.resolve6(name, { ttl: true })).then((answer) => early(answer, 0)),
    answerOf(() => client.resolve4(name, { ttl: true })).then((answer) => early(answer, RESOLUTION_DELAY_MS)),
  ]);
  return merge(six, four);
}

export async function askSystem(lookup: SystemLookup, name: string): Promise<Answer> {
  const ttl = SYSTEM_TTL_MS / 1000;
  return answerOf(async () => (await lookup(name)).map(({ address }) => ({ address, ttl })));
}

async function answerOf(ask: () => Promise<{ address: string; ttl: number }[]>): Promise<Answer> {
  try {
    const records = await ask();
    const addresses = new Set<string>();
    let ttl = Number.POSITIVE_INFINITY;
    for (const record of records.slice(0, ADDRESSES_MAX)) {
      // An address with a zone ("fe80::1%eth0") is of no use to anybody but this machine; it is left out.
      const address = canonicalIp(record.address);
      if (address === undefined) continue;
      addresses.add(address);
      // RFC 2181 §8: a time to live with the highest bit set is zero.
      ttl = Math.min(ttl, record.ttl >= 0 && record.ttl <= 0x7fffffff ? record.ttl : 0);
    }
    if (addresses.size === 0) return { kind: 'none', detail: 'it has no address' };
    return { kind: 'addresses', addresses: [...addresses], ttlMs: ttl * 1000 };
  } catch (error) {
    return failureOf((error as NodeJS.ErrnoException).code ?? String(error));
  }
}

const FAILURES: Readonly<Record<string, Answer>> = {
  ENOTFOUND: { kind: 'none', detail: 'there is no such name' },
  ENODATA: { kind: 'none', detail: 'it has no address' },
  // A name that does not fit into a question does not exist either.
  EBADNAME: { kind: 'none', detail: 'it cannot be a domain name' },
  ETIMEOUT: { kind: 'failed', timedOut: true, offline: false, detail: 'the name servers do not answer' },
  ECONNREFUSED: { kind: 'failed', timedOut: false, offline: true, detail: 'no name server can be reached' },
  ESERVFAIL: { kind: 'failed', timedOut: false, offline: false, detail: 'the name server failed (SERVFAIL)' },
  EREFUSED: { kind: 'failed', timedOut: false, offline: false, detail: 'the name server refused to answer' },
  EBADRESP: { kind: 'failed', timedOut: false, offline: false, detail: 'the name server answered nonsense' },
  EAI_AGAIN: { kind: 'failed', timedOut: false, offline: true, detail: 'no name server can be reached' },
};

function failureOf(code: string): Answer {
  return (
    FAILURES[code] ?? { kind: 'failed', timedOut: false, offline: false, detail: `the name servers failed (${code})` }
  );
}

/** IPv6 first. One family's addresses are an answer even when the other failed; a failure outweighs a "no". */
function merge(six: Answer, four: Answer): Answer {
  if (six.kind === 'addresses' && four.kind === 'addresses') {
    const addresses = [...new Set([...six.addresses, ...four.addresses])];
    addresses.sort((a, b) => familyOf(b) - familyOf(a));
    return { kind: 'addresses', addresses, ttlMs: Math.min(six.ttlMs, four.ttlMs) };
  }
  const [good, other] = six.kind === 'addresses' ? [six, four] : [four, six];
  if (good.kind === 'addresses') {
    return other.kind === 'failed' ? { ...good, ttlMs: Math.min(good.ttlMs, HALF_ANSWER_TTL_MS) } : good;
  }
  if (four.kind === 'failed') return four;
  if (six.kind === 'failed') return six;
  return four;
}
