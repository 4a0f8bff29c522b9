// Verdicts about paths: endpoints, limits, routing for each source address, reverse path filters. They matter only to a
// machine with more than one interface that leads out.

import { familyOf } from '../wire/ip.ts';
import type { Facts, InterfaceFacts, RouteFacts } from './facts.ts';
import { mendedBy, sysctl } from './remedy.ts';
import { ok, unknown, type Verdict } from './verdict.ts';

/** Routing tables of our own making in the mending commands: this and the index of the interface. */
const TABLE_BASE = 1000;
/** The most that the kernel takes: MPTCP_PM_ADDR_MAX. */
const LIMIT_MAX = 8;

export function pathVerdicts(facts: Facts): Verdict[] {
  if (facts.interfaces === undefined) {
    const mend = ['install iproute2 (the command ip)'];
    return [unknown('paths', 'the interfaces could not be listed', mend)];
  }
  const paths = facts.interfaces.filter(({ addresses }) => addresses.length > 0);
  const names = paths.map(({ name }) => name).join(', ');
  if (paths.length === 0) {
    const why = 'Nothing beyond this machine can be reached.';
    return [{ id: 'paths', level: 'fail', found: 'no interface has an address', why, mend: ['ip addr; ip link'] }];
  }
  const limits = limitsVerdict(facts, paths);
  const joins = joinsVerdict(facts);
  if (paths.length === 1) {
    return [
      ok('paths', `one interface leads out (${names}); a server that other machines reach over several is fine`),
      limits,
      ...joins,
    ];
  }
  return [
    ok('paths', `${paths.length} interfaces lead out: ${names}`),
    endpoints(facts, paths),
    ...managers(facts),
    limits,
    ...joins,
    ...facts.routes.map((route) => routing(facts, paths, route)),
    reverseFilter(facts, paths),
  ];
}

/** Who else sets up endpoints: nothing of it is touched, but two of them may undo each other's work. */
function managers({ managers: found = [], sysctls }: Facts): Verdict[] {
  if (found.length === 0) return [];
  const id = 'managers';
  const who = found.map(({ name, pid }) => `${name} (process ${pid})`).join(', ');
  const isUserspace = sysctls['net.mptcp.path_manager'] === 'userspace' || sysctls['net.mptcp.pm_type'] === '1';
  if (!isUserspace || !found.some(({ name }) => name === 'mptcpd')) {
    return [ok(id, `${who} may set up endpoints, too; anabranch leaves those alone`)];
  }
  return [
    {
      id,
      level: 'warn',
      found: `${who}, and net.mptcp.path_manager is userspace`,
      why: 'mptcpd opens subflows for every connection then, and so does anabranch with paths.mode: userspace.',
      mend: ['systemctl stop mptcp.service', '# or paths.mode: kernel in the configuration of anabranch'],
    },
  ];
}

function endpoints(facts: Facts, paths: readonly InterfaceFacts[]): Verdict {
  const id = 'endpoints';
  if (facts.endpoints === undefined) return unknown(id, 'the endpoints could not be listed', ['ip mptcp endpoint']);
  const listed = new Set(facts.endpoints.map(({ address }) => address));
  // The first path needs none: it is there by itself.
  const missing = paths.filter(
    ({ name, addresses }) => name !== facts.primary && !addresses.some((address) => listed.has(address)),
  );
  if (missing.length === 0) return ok(id, `${listed.size} for ${paths.length} interfaces`);
  return {
    id,
    level: 'warn',
    found: listed.size === 0 ? 'none' : `none on ${missing.map(({ name }) => name).join(', ')}`,
    why: 'The kernel opens further paths from its endpoints only; without them a connection keeps to its first path.',
    mend: missing.flatMap(({ name, addresses }) =>
      addresses.slice(0, 1).map((address) => `ip mptcp endpoint add ${address} dev ${name} subflow`),
    ),
  };
}

function limitsVerdict(facts: Facts, paths: readonly InterfaceFacts[]): Verdict {
  const id = 'limits';
  if (facts.limits === undefined) return unknown(id, 'the limits of MPTCP could not be read', ['ip mptcp limits']);
  const { subflows, addAddrAccepted } = facts.limits;
  const found = `${subflows} further subflows, ${addAddrAccepted} announced addresses taken up`;
  const needed = Math.max(1, paths.length - 1);
  const mended = mendedBy([{ kind: 'limits', subflows: LIMIT_MAX, accepted: LIMIT_MAX }]);
  if (subflows < needed) {
    return { id, level: 'warn', found, why: `${needed} further subflows are needed for all interfaces.`, ...mended };
  }
  if (addAddrAccepted === 0 && paths.length === 1) {
    const why =
      'A gateway’s further addresses are not taken up; with one interface here they are all there is to gain.';
    return { id, level: 'warn', found, why, ...mended };
  }
  return ok(id, found);
}

/** A gateway behind a load balancer: `paths.balancer`, or by hand. Said of such machines only. */
function joinsVerdict({ sysctls, endpoints = [] }: Facts): Verdict[] {
  const id = 'joins';
  if (sysctls['net.mptcp.allow_join_initial_addr_port'] !== '0') return [];
  const announced = endpoints.filter(({ flags }) => flags.includes('signal')).map(({ address }) => address);
  if (announced.length > 0) return [ok(id, `clients are told to join ${announced.join(', ')} alone`)];
  return [
    {
      id,
      level: 'warn',
      found: 'clients may not join the address they came to, and are told no other',
      why: 'Their connections keep to one path each.',
      mend: [
        'paths: { balancer: { announce: ADDRESS } } in the configuration, or',
        'sysctl -w net.mptcp.allow_join_initial_addr_port=1',
      ],
    },
  ];
}

function routing(facts: Facts, paths: readonly InterfaceFacts[], route: RouteFacts): Verdict {
  const { source, device, leavesBy } = route;
  const id = `routing ${source}`;
  if (leavesBy === device) return ok(id, `leaves by its own interface, ${device}`);
  const endpoint = facts.endpoints?.find(({ address }) => address === source);
  if (endpoint?.device === device && route.reachableByOwn) {
    return ok(id, `its endpoint binds it to ${device}`);
  }
  const found = leavesBy === undefined ? 'has no route' : `leaves by ${leavesBy} and not by ${device}`;
  const why = 'A path that leaves by the wrong interface is no second path, and is often dropped on the way.';
  return { id, level: 'warn', found, why, mend: sourceRouting(paths, route) };
}

function sourceRouting(paths: readonly InterfaceFacts[], { source, device }: RouteFacts): string[] {
  const path = paths.find(({ name }) => name === device);
  const family = familyOf(source);
  const gateway = path?.gateways.find((address) => familyOf(address) === family);
  const table = TABLE_BASE + (path?.index ?? 0);
  const command = family === 6 ? 'ip -6' : 'ip';
  return [
    `${command} route add default ${gateway === undefined ? '' : `via ${gateway} `}dev ${device} table ${table}`,
    `${command} rule add from ${source} table ${table}`,
  ];
}

function reverseFilter({ sysctls }: Facts, paths: readonly InterfaceFacts[]): Verdict {
  const id = 'rp-filter';
  const all = sysctls['net.ipv4.conf.all.rp_filter'];
  if (all === undefined) return unknown(id, 'the reverse path filters could not be read');
  // The kernel takes the larger of the two: ip-sysctl.rst, rp_filter.
  const strict = paths.filter(
    ({ name }) => Math.max(Number(all), Number(sysctls[`net.ipv4.conf.${name}.rp_filter`] ?? 0)) === 1,
  );
  if (strict.length === 0) return ok(id, 'no strict reverse path filter');
  return {
    id,
    level: 'warn',
    found: `strict on ${strict.map(({ name }) => name).join(', ')}`,
    why: 'Packets that come in by another interface than the answer would leave by are dropped without a word.',
    ...mendedBy(strict.map(({ name }) => sysctl(`net.ipv4.conf.${name}.rp_filter`, 2))),
  };
}
