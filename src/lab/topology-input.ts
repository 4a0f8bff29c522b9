// What people write of a topology, as a schema, and its way to a Topology: names checked, addresses assigned.
// Reads no file: a trace comes as its list of times.

import { z } from 'zod';
import { assignAddresses, parseInterfaceAddress } from './addressing.ts';
import { LabError, LabErrorCode } from './lab-error.ts';
import { applyChange, linkChange, linkChangeShape, time } from './link-change.ts';
import { PERFECT } from './link-settings.ts';
import { CUTS, DIRECTIONS, type TimelineAction, type TimelineEntry } from './timeline.ts';
import { ENDPOINT_FLAGS, type HostSpec, type LinkSpec, type MptcpSpec, type Topology } from './topology.ts';

const HOSTS_MAX = 64;
const LINKS_MAX = 128;

const name = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be 1 to 32 small letters, digits and hyphens');
/** IFNAMSIZ − 1 characters, no dot (it would split a sysctl's name), not the kernel's own names. */
const linkName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,14}$/, 'must be 1 to 15 small letters, digits, hyphens and underscores')
  .refine((text) => !['lo', 'all', 'default'].includes(text), 'is a name the kernel uses itself');

const flags = z.union([z.enum(ENDPOINT_FLAGS).transform((flag) => [flag]), z.array(z.enum(ENDPOINT_FLAGS))]);
const pathManagerLimit = z.number().int().min(0).max(8);

const mptcp = z.strictObject({
  enabled: z.boolean().default(true),
  endpoints: z
    .union([z.literal('auto'), z.literal('none').transform(() => ({})), z.record(linkName, flags)])
    .default('auto'),
  subflows: pathManagerLimit.default(8),
  addAddrAccepted: pathManagerLimit.default(8),
});

const sysctlName = z.string().regex(/^net(\.[A-Za-z0-9_-]+)+$/, 'must be the name of a net.… sysctl');
const sysctlValue = z.union([z.number().transform(String), z.string().regex(/^[\w .,:/+-]+$/, 'has odd characters')]);

const host = z.strictObject({
  forward: z.boolean().default(false),
  mptcp: z.union([z.boolean(), mptcp]).default(true),
  sysctls: z.record(sysctlName, sysctlValue).default({}),
});

const addresses = z.union([z.string().transform((text) => [text]), z.array(z.string())]);

const link = z.strictObject({
  ...linkChangeShape,
  between: z.tuple([name, name]),
  mtu: z.number().int().min(576, 'must be at least 576').max(9_000, 'must be at most 9000').default(1_500),
  addresses: z.record(name, addresses).default({}),
});

const moment = z.union([
  z.strictObject({
    at: time,
    down: linkName,
    how: z.enum(CUTS).optional(),
    direction: z.enum(DIRECTIONS).optional(),
    side: name.optional(),
  }),
  z.strictObject({ at: time, up: linkName }),
  z.strictObject({ at: time, set: linkName, to: linkChange }),
  z.strictObject({ at: time, address: z.strictObject({ host: name, link: linkName, to: z.string() }) }),
]);

/** The shape of a topology file, and of what `createLab` takes. */
export const topologyInput = z.strictObject({
  name: name.default('lab'),
  seed: z.number().int().min(0).max(0xffff_ffff).default(1),
  ipv6: z.boolean().default(true),
  hosts: z.record(name, host.or(z.null().transform(() => host.parse({})))),
  links: z.record(linkName, link),
  timeline: z.array(moment).default([]),
});
export type TopologyInput = z.input<typeof topologyInput>;
type Shaped = z.output<typeof topologyInput>;

/** Something wrong with a topology: `path` leads to the value, as in `['links', 'wifi', 'rate']`. */
export interface TopologyFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export type TopologyResult =
  | { readonly topology: Topology; readonly faults?: undefined }
  | { readonly topology?: undefined; readonly faults: readonly TopologyFault[] };

/** All faults at once, or the topology. Throws nothing. */
export function settleTopology(input: unknown): TopologyResult {
  const parsed = topologyInput.safeParse(input);
  if (!parsed.success) {
    return {
      faults: parsed.error.issues.map(({ path, message }) => ({
        path: path.map((key) => (typeof key === 'symbol' ? String(key) : key)),
        message,
      })),
    };
  }
  const faults = checkNames(parsed.data);
  if (faults.length > 0) return { faults };
  return buildTopology(parsed.data);
}

/** For programs. Throws a LabError that names every fault. */
export function createTopology(input: TopologyInput): Topology {
  const { topology, faults } = settleTopology(input);
  if (topology !== undefined) return topology;
  const lines = faults.map(({ path, message }) => `${path.join('.') || 'topology'}: ${message}`);
  throw new LabError(LabErrorCode.topology, lines.join('\n'));
}

function checkNames(shaped: Shaped): TopologyFault[] {
  const faults: TopologyFault[] = [];
  const hosts = new Set(Object.keys(shaped.hosts));
  const links = new Set(Object.keys(shaped.links));
  const known = (names: ReadonlySet<string>): string => [...names].join(', ') || 'none';
  const requireHost = (host: string, path: TopologyFault['path']): void => {
    if (!hosts.has(host)) faults.push({ path, message: `no host is named ${host}; there are: ${known(hosts)}` });
  };
  const requireLink = (link: string, path: TopologyFault['path']): void => {
    if (!links.has(link)) faults.push({ path, message: `no link is named ${link}; there are: ${known(links)}` });
  };
  if (hosts.size > HOSTS_MAX) faults.push({ path: ['hosts'], message: `at most ${HOSTS_MAX} hosts` });
  if (links.size > LINKS_MAX) faults.push({ path: ['links'], message: `at most ${LINKS_MAX} links` });
  for (const [link, { between, addresses }] of Object.entries(shaped.links)) {
    for (const [i, host] of between.entries()) requireHost(host, ['links', link, 'between', i]);
    if (between[0] === between[1]) {
      faults.push({ path: ['links', link, 'between'], message: 'a link joins two different hosts' });
    }
    for (const host of Object.keys(addresses)) {
      if (between.includes(host)) continue;
      faults.push({ path: ['links', link, 'addresses', host], message: `must be ${between.join(' or ')}` });
    }
  }
  for (const [host, { mptcp: spec }] of Object.entries(shaped.hosts)) {
    if (typeof spec === 'boolean' || spec.endpoints === 'auto') continue;
    for (const link of Object.keys(spec.endpoints)) {
      const path = ['hosts', host, 'mptcp', 'endpoints', link];
      requireLink(link, path);
      if (links.has(link) && !shaped.links[link]!.between.includes(host)) {
        faults.push({ path, message: `link ${link} does not reach ${host}` });
      }
    }
  }
  shaped.timeline.forEach((moment, i) => {
    const path = ['timeline', i];
    if ('down' in moment) {
      requireLink(moment.down, [...path, 'down']);
      if (moment.side !== undefined) requireHost(moment.side, [...path, 'side']);
    } else if ('up' in moment) requireLink(moment.up, [...path, 'up']);
    else if ('set' in moment) requireLink(moment.set, [...path, 'set']);
    else {
      requireHost(moment.address.host, [...path, 'address', 'host']);
      requireLink(moment.address.link, [...path, 'address', 'link']);
    }
  });
  return faults;
}

function buildTopology(shaped: Shaped): TopologyResult {
  const faults: TopologyFault[] = [];
  const given = Object.entries(shaped.links).map(([link, { between, addresses }]) => ({
    link,
    hosts: between,
    addresses: between.map((host) =>
      (addresses[host] ?? []).flatMap((text) => {
        const parsed = parseInterfaceAddress(text);
        if (parsed !== undefined) return [parsed];
        const message = `must be an address with its prefix length, such as 192.0.2.1/24; it is ${text}`;
        faults.push({ path: ['links', link, 'addresses', host], message });
        return [];
      }),
    ),
  }));
  if (faults.length > 0) return { faults };
  const assigned = assignAddresses(given, shaped.ipv6 ? [4, 6] : [4]);
  if (assigned.faults.length > 0) return { faults: assigned.faults };

  const links = Object.entries(shaped.links).map(([link, spec], i): LinkSpec => {
    const { between, mtu, addresses: _, ...change } = spec;
    const up = applyChange(PERFECT, change, 'up');
    const down = applyChange(PERFECT, change, 'down');
    return { name: link, hosts: between, up, down, mtu, addresses: assigned.links[i]! };
  });
  const hosts = Object.entries(shaped.hosts).map(([host, spec]): HostSpec => {
    return { name: host, forward: spec.forward, mptcp: mptcpSpec(spec.mptcp), sysctls: Object.entries(spec.sysctls) };
  });
  const timeline = shaped.timeline.map((entry): TimelineEntry => ({ atMs: entry.at, action: timelineAction(entry) }));
  return { topology: { name: shaped.name, seed: shaped.seed, hosts, links, timeline } };
}

function mptcpSpec(spec: boolean | z.output<typeof mptcp>): MptcpSpec {
  const settled = typeof spec === 'boolean' ? mptcp.parse({ enabled: spec }) : spec;
  const { endpoints } = settled;
  return { ...settled, endpoints: endpoints === 'auto' ? 'auto' : new Map(Object.entries(endpoints)) };
}

function timelineAction(entry: z.output<typeof moment>): TimelineAction {
  if ('down' in entry) {
    const { how, direction, side } = entry;
    return { kind: 'down', link: entry.down, cut: { how, direction, side } };
  }
  if ('up' in entry) return { kind: 'up', link: entry.up };
  if ('set' in entry) return { kind: 'set', link: entry.set, change: entry.to };
  const { host, link, to } = entry.address;
  return { kind: 'address', host, link, address: to };
}
