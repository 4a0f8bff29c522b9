// What people write of a topology, as a schema, and its way to a Topology: names checked, addresses assigned.
// Reads no file: a trace comes as its list of times.

import { z } from 'zod';
import { printable } from '../config/fault.ts';
import { type AssignedAddresses, assignAddresses, parseInterfaceAddress } from './addressing.ts';
import { LabError, LabErrorCode } from './lab-error.ts';
import { applyChange, linkChange, linkChangeShape } from './link-change.ts';
import { PERFECT } from './link-settings.ts';
import { section, time, whole } from './schema-parts.ts';
import { CUTS, DIRECTIONS, type TimelineAction, type TimelineEntry } from './timeline.ts';
import { ENDPOINT_FLAGS, type HostSpec, type LinkSpec, type MptcpSpec, type Topology } from './topology.ts';
import { faultsOf, formatTopologyFault, type TopologyFault } from './topology-fault.ts';
import { namesHint } from './unknown-name.ts';

const HOSTS_MAX = 64;
/** RFC 8200 §5. With less the kernel takes IPv6 off the interface. */
const IPV6_MTU_MIN = 1_280;
const LINKS_MAX = 128;

const YES_OR_NO = 'true or false';
const NAME_HINT = '1 to 32 small letters, digits and hyphens, a letter first';
const name = z.string({ error: NAME_HINT }).regex(/^[a-z][a-z0-9-]{0,31}$/, { error: NAME_HINT });
/** IFNAMSIZ − 1 characters, no dot (it would split a sysctl's name), not the kernel's own names. */
const LINK_NAME_HINT = '1 to 15 small letters, digits, hyphens and underscores, a letter first; not lo, all, default';
const linkName = z
  .string({ error: LINK_NAME_HINT })
  .regex(/^[a-z][a-z0-9_-]{0,14}$/, { error: LINK_NAME_HINT })
  .refine((text) => !['lo', 'all', 'default'].includes(text), { error: LINK_NAME_HINT });

const FLAGS_HINT = `one of ${ENDPOINT_FLAGS.join(', ')}, or a list of them`;
const flag = z.enum(ENDPOINT_FLAGS, { error: FLAGS_HINT });
const flags = z.union([flag.transform((one) => [one]), z.array(flag, { error: FLAGS_HINT })], { error: FLAGS_HINT });

const pathManagerLimit = whole(0, 8);

const ENDPOINTS_HINT = 'auto, none, or flags by the name of a link: { wifi: subflow }';
const mptcp = section(
  {
    enabled: z.boolean({ error: YES_OR_NO }).default(true),
    endpoints: z
      .union(
        [
          z.literal('auto', { error: ENDPOINTS_HINT }),
          z.literal('none', { error: ENDPOINTS_HINT }).transform(() => ({})),
          z.record(linkName, flags, { error: ENDPOINTS_HINT }),
        ],
        { error: ENDPOINTS_HINT },
      )
      .default('auto'),
    subflows: pathManagerLimit.default(8),
    addAddrAccepted: pathManagerLimit.default(8),
  },
  'the MPTCP of a host',
);

const SYSCTL_HINT = 'the name of a net.… sysctl';
const sysctlName = z.string({ error: SYSCTL_HINT }).regex(/^net(\.[A-Za-z0-9_-]+)+$/, { error: SYSCTL_HINT });
const SYSCTL_VALUE_HINT = 'a number, or text of letters, digits, spaces and . , : / + -';
const sysctlValue = z.union(
  [
    z.number({ error: SYSCTL_VALUE_HINT }).transform(String),
    z.string({ error: SYSCTL_VALUE_HINT }).regex(/^[\w .,:/+-]+$/, { error: SYSCTL_VALUE_HINT }),
  ],
  { error: SYSCTL_VALUE_HINT },
);

const host = section(
  {
    forward: z.boolean({ error: YES_OR_NO }).default(false),
    sourceRouting: z.boolean({ error: YES_OR_NO }).default(true),
    mptcp: z
      .union([z.boolean({ error: YES_OR_NO }), mptcp], {
        error: 'true, false, or a map: { enabled, endpoints, subflows, addAddrAccepted }',
      })
      .default(true),
    sysctls: z.record(sysctlName, sysctlValue, { error: 'values by the names of sysctls' }).default({}),
  },
  'a host',
);

const ADDRESS_HINT = 'an address with its prefix length, such as 192.0.2.1/24';
const address = z.string({ error: ADDRESS_HINT });
const addresses = z.union([address.transform((text) => [text]), z.array(address, { error: ADDRESS_HINT })], {
  error: `${ADDRESS_HINT}, or a list of them`,
});

const link = section(
  {
    ...linkChangeShape,
    between: z.tuple([name, name], { error: 'the two hosts that it joins: [client, router]' }),
    mtu: whole(576, 9_000).default(1_500),
    addresses: z.record(name, addresses, { error: 'addresses by the name of a host' }).default({}),
  },
  'a link',
);

function choice<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: `one of ${values.join(', ')}` });
}

const moment = z.union(
  [
    section(
      {
        at: time,
        down: linkName,
        how: choice(CUTS).optional(),
        direction: choice(DIRECTIONS).optional(),
        side: name.optional(),
      },
      'a cut',
    ),
    section({ at: time, up: linkName }, 'the end of a cut'),
    section({ at: time, set: linkName, to: linkChange }, 'a change'),
    section(
      { at: time, address: section({ host: name, link: linkName, to: address }, 'a change of address') },
      'a change of address',
    ),
  ],
  { error: 'at (a time), and one of down, up, set (with to), address: { at: 5s, down: wifi }' },
);

const HOSTS_HINT = 'a map from names to hosts; a host may be empty: { client: {}, router: { forward: true } }';

/** The shape of a topology file, and of what `createLab` takes. */
export const topologyInput = section(
  {
    name: name.default('lab'),
    seed: whole(0, 0xffff_ffff).default(1),
    ipv6: z.boolean({ error: YES_OR_NO }).default(true),
    hosts: z.record(
      name,
      z.union([host, z.null().transform(() => host.parse({}))], { error: 'keys and values of a host, or nothing' }),
      { error: HOSTS_HINT },
    ),
    links: z.record(linkName, link, { error: 'a map from names to links: { wifi: { between: [client, router] } }' }),
    timeline: z.array(moment, { error: 'a list such as [{ at: 5s, down: wifi }]' }).default([]),
  },
  'a topology',
);
export type TopologyInput = z.input<typeof topologyInput>;
type Shaped = z.output<typeof topologyInput>;

export type TopologyResult =
  | { readonly topology: Topology; readonly faults?: undefined }
  | { readonly topology?: undefined; readonly faults: readonly TopologyFault[] };

/** All faults at once, or the topology. Throws nothing. */
export function settleTopology(input: unknown): TopologyResult {
  const parsed = topologyInput.safeParse(input);
  if (!parsed.success) return { faults: faultsOf(parsed.error.issues, input) };
  const faults = checkNames(parsed.data);
  if (faults.length > 0) return { faults };
  return buildTopology(parsed.data);
}

/** For programs. Throws a LabError that names every fault. */
export function createTopology(input: TopologyInput): Topology {
  const { topology, faults } = settleTopology(input);
  if (topology !== undefined) return topology;
  throw new LabError(LabErrorCode.topology, faults.map(formatTopologyFault).join('\n'));
}

function checkNames(shaped: Shaped): TopologyFault[] {
  const faults: TopologyFault[] = [];
  const hosts = new Set(Object.keys(shaped.hosts));
  const links = new Set(Object.keys(shaped.links));
  const requireName = (what: string, name: string, known: ReadonlySet<string>, path: TopologyFault['path']): void => {
    if (known.has(name)) return;
    // In `addresses` and `endpoints` the name is a key.
    const atKey = path.at(-1) === name;
    faults.push({ path, atKey, message: `no ${what} is named ${name}`, hint: namesHint(name, [...known]) });
  };
  const requireHost = (host: string, path: TopologyFault['path']): void => requireName('host', host, hosts, path);
  const requireLink = (link: string, path: TopologyFault['path']): void => requireName('link', link, links, path);
  const limit = (count: number, most: number, key: string): void => {
    if (count > most) faults.push({ path: [key], message: `are ${count}`, hint: `at most ${most}` });
  };
  limit(hosts.size, HOSTS_MAX, 'hosts');
  limit(links.size, LINKS_MAX, 'links');
  for (const [link, { between, addresses }] of Object.entries(shaped.links)) {
    for (const [i, host] of between.entries()) requireHost(host, ['links', link, 'between', i]);
    if (between[0] === between[1]) {
      const message = `joins ${between[0]} to itself`;
      faults.push({ path: ['links', link, 'between'], message, hint: 'two different hosts' });
    }
    for (const host of Object.keys(addresses)) {
      if (between.includes(host)) continue;
      const path = ['links', link, 'addresses', host];
      faults.push({ path, atKey: true, message: 'the link does not reach this host', hint: between.join(' or ') });
    }
  }
  for (const [host, { mptcp: spec }] of Object.entries(shaped.hosts)) {
    if (typeof spec === 'boolean' || spec.endpoints === 'auto') continue;
    for (const link of Object.keys(spec.endpoints)) {
      const path = ['hosts', host, 'mptcp', 'endpoints', link];
      requireLink(link, path);
      if (links.has(link) && !shaped.links[link]!.between.includes(host)) {
        const reaching = [...links].filter((one) => shaped.links[one]!.between.includes(host));
        const hint = `links of ${host}: ${reaching.join(', ') || 'none'}`;
        faults.push({ path, atKey: true, message: `this link does not reach ${host}`, hint });
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
        faults.push({
          path: ['links', link, 'addresses', host],
          message: `is "${printable(text)}"`,
          hint: ADDRESS_HINT,
        });
        return [];
      }),
    ),
  }));
  if (faults.length > 0) return { faults };
  const assigned = assignAddresses(given, shaped.ipv6 ? [4, 6] : [4]);
  const tooSmall = mtuFaults(shaped, assigned.links);
  if (assigned.faults.length + tooSmall.length > 0) return { faults: [...assigned.faults, ...tooSmall] };

  const links = Object.entries(shaped.links).map(([link, spec], i): LinkSpec => {
    const { between, mtu, addresses: _, ...change } = spec;
    const up = applyChange(PERFECT, change, 'up');
    const down = applyChange(PERFECT, change, 'down');
    return { name: link, hosts: between, up, down, mtu, addresses: assigned.links[i]! };
  });
  const hosts = Object.entries(shaped.hosts).map(([host, spec]): HostSpec => {
    const { forward, sourceRouting, sysctls } = spec;
    return { name: host, forward, sourceRouting, mptcp: mptcpSpec(spec.mptcp), sysctls: Object.entries(sysctls) };
  });
  const timeline = shaped.timeline.map((entry): TimelineEntry => ({ atMs: entry.at, action: timelineAction(entry) }));
  return { topology: { name: shaped.name, seed: shaped.seed, hosts, links, timeline } };
}

function mtuFaults({ links }: Shaped, assigned: AssignedAddresses['links']): TopologyFault[] {
  return Object.entries(links).flatMap(([link, { mtu, addresses }], i): TopologyFault[] => {
    if (mtu >= IPV6_MTU_MIN || !assigned[i]!.flat().some(({ family }) => family === 6)) return [];
    const given = Object.values(addresses).flat();
    const without = given.some((text) => text.includes(':'))
      ? 'no IPv6 addresses here, and ipv6: false at the top'
      : 'ipv6: false at the top';
    const hint = `at least ${IPV6_MTU_MIN}, or ${without}`;
    return [{ path: ['links', link, 'mtu'], message: `is ${mtu}, too small for IPv6`, hint }];
  });
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
