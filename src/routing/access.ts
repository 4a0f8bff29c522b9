// Who may come in, and what a client from beyond this machine must not reach through it. Rules (rules.ts) come after
// this and cannot lift it; only an inbound's `allowLocal` can.

import { canonicalIp, ipFromBytes, ipToBytes } from '../wire/ip.ts';
import { NetworkSet } from './network-set.ts';

/** What of an inbound's configuration matters here. */
export interface AccessPolicy {
  /** Client networks; empty: every client. */
  readonly sources: readonly string[];
  readonly allowLocal: boolean;
}

export interface Access {
  /** Whether a client of this address may connect at all. */
  admits(client: string): boolean;
  /**
   * Whether `client` may be connected to `address`. Ask for each address a name resolved to, not once for the name:
   * `own` are the machine's addresses as of now, canonical, and may differ from call to call.
   */
  mayReach(client: string, address: string, own: ReadonlySet<string>): boolean;
  /**
   * The same for a host as the client named it, before resolution: addresses as above, and the names that mean this
   * machine by definition. Ask it whatever the outbound is: an upstream proxy on this machine would take us for a local
   * client and let it pass.
   */
  mayAsk(client: string, host: string, own: ReadonlySet<string>): boolean;
}

const LOOPBACK = new NetworkSet(['127.0.0.0/8', '::1']);

/** Addresses that mean this machine, this link, or nobody in particular. */
const LOCAL = new NetworkSet([
  '0.0.0.0/8', // "this network" (RFC 791 §3.2); Linux connects 0.0.0.0 to loopback
  '127.0.0.0/8', // loopback (RFC 1122 §3.2.1.3)
  '169.254.0.0/16', // link-local (RFC 3927); cloud metadata services live here
  '224.0.0.0/4', // multicast (RFC 5771)
  '255.255.255.255', // limited broadcast (RFC 919)
  '::', // unspecified (RFC 4291 §2.5.2); Linux connects it to loopback
  '::1', // loopback (RFC 4291 §2.5.3)
  'fe80::/10', // link-local (RFC 4291 §2.5.6)
  'ff00::/8', // multicast (RFC 4291 §2.7)
]);

/** IPv6 networks that carry an IPv4 address, and where. IPv4-mapped ones never get here: ipToBytes makes them IPv4. */
const EMBEDDINGS: readonly { readonly networks: NetworkSet; readonly offset: number }[] = [
  { networks: new NetworkSet(['2002::/16']), offset: 2 }, // 6to4 (RFC 3056 §2)
  // NAT64 (RFC 6052 §2.1, RFC 8215), IPv4-compatible (RFC 4291 §2.5.5.1), IPv4-translated (RFC 7915; SIIT).
  { networks: new NetworkSet(['64:ff9b::/96', '64:ff9b:1::/48', '::/96', '::ffff:0:0:0/96']), offset: 12 },
];

export function isLoopback(address: string): boolean {
  return LOOPBACK.has(address);
}

/** Whether an address is loopback, unspecified, link-local, multicast, broadcast or one of `own`, in any disguise. */
export function isLocal(address: string, own: ReadonlySet<string>): boolean {
  const bytes = ipToBytes(address);
  if (LOCAL.hasBytes(bytes) || own.has(address)) return true;
  if (bytes.length === 4) return false;
  return EMBEDDINGS.some(
    ({ networks, offset }) => networks.hasBytes(bytes) && isLocal(ipFromBytes(bytes.subarray(offset, offset + 4)), own),
  );
}

export function compileAccess({ sources, allowLocal }: AccessPolicy): Access {
  const admitted = sources.length === 0 ? undefined : new NetworkSet(sources);

  function mayReach(client: string, address: string, own: ReadonlySet<string>): boolean {
    return allowLocal || isLoopback(client) || !isLocal(address, own);
  }

  return {
    admits: (client) => admitted?.has(client) ?? true,
    mayReach,
    mayAsk(client, host, own) {
      if (canonicalIp(host) !== undefined) return mayReach(client, host, own);
      return allowLocal || isLoopback(client) || !isLocalName(host);
    },
  };
}

/** RFC 6761 §6.3: `localhost` and everything below it is loopback. */
function isLocalName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}
