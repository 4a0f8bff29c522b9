// Parsers of what ip(8) and /proc print. Text in, values out; what is not understood is left out.

import { canonicalIp } from '../wire/ip.ts';
import type { EndpointFacts, InterfaceFacts } from './facts.ts';

interface DefaultRoute {
  readonly device: string;
  readonly gateway: string;
}

/** `ip -j addr show up`. */
export function parseInterfaces(json: string, defaults: readonly DefaultRoute[]): InterfaceFacts[] | undefined {
  const links = parseList(json);
  return links
    ?.filter((link) => !strings(link.flags).includes('LOOPBACK'))
    .map((link) => {
      const name = String(link.ifname);
      const addresses = (Array.isArray(link.addr_info) ? (link.addr_info as Fields[]) : [])
        .filter((info) => info.scope === 'global' && info.deprecated !== true)
        .map((info) => canonicalIp(String(info.local)))
        .filter((address) => address !== undefined);
      const gateways = defaults.filter(({ device }) => device === name).map(({ gateway }) => gateway);
      return { name, index: Number(link.ifindex), addresses, gateways };
    });
}

/** `ip -j route show default`; one gateway for each interface. */
export function parseDefaultRoutes(json: string): DefaultRoute[] {
  const routes = new Map<string, DefaultRoute>();
  for (const route of parseList(json) ?? []) {
    const { dev: device, gateway } = route;
    if (typeof device !== 'string' || typeof gateway !== 'string' || routes.has(device)) continue;
    routes.set(device, { device, gateway });
  }
  return [...routes.values()];
}

/** `ip -j mptcp endpoint show`. */
export function parseEndpoints(json: string): EndpointFacts[] | undefined {
  return parseList(json)?.map((endpoint) => ({
    address: String(endpoint.address),
    flags: ['signal', 'subflow', 'backup', 'fullmesh', 'implicit'].filter(
      (flag) => endpoint[flag] === true || strings(endpoint.flags).includes(flag),
    ),
    device: typeof endpoint.dev === 'string' ? endpoint.dev : undefined,
  }));
}

/** `ip mptcp limits show`, which prints no JSON in older versions even when asked. */
export function parseLimits(text: string): { subflows: number; addAddrAccepted: number } | undefined {
  const subflows = /\bsubflows"?[ :]+(\d+)/.exec(text)?.[1];
  const accepted = /\badd_addr_accepted"?[ :]+(\d+)/.exec(text)?.[1];
  if (subflows === undefined || accepted === undefined) return undefined;
  return { subflows: Number(subflows), addAddrAccepted: Number(accepted) };
}

/** `ip -j route get`: the interface packets leave by. */
export function parseRoute(json: string): string | undefined {
  const device = parseList(json)?.[0]?.dev;
  return typeof device === 'string' ? device : undefined;
}

/** /proc/self/limits. */
export function parseNofile(text: string): { soft: number; hard: number } | undefined {
  const match = /^Max open files\s+(\S+)\s+(\S+)/m.exec(text);
  if (!match) return undefined;
  const [soft = 0, hard = 0] = match.slice(1).map((word) => (word === 'unlimited' ? Infinity : Number(word)));
  return { soft, hard };
}

type Fields = Readonly<Record<string, unknown>>;

function parseList(json: string): Fields[] | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return Array.isArray(value) ? value.filter((one) => typeof one === 'object' && one !== null) : undefined;
  } catch {
    return undefined;
  }
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
