// Reads the facts: /proc, and what ip(8) says. Changes nothing, and needs no rights.

import { readFileSync } from 'node:fs';

import { findOtherManagers } from '../netlink/other-managers.ts';
import { probeMptcp } from '../socket/mptcp.ts';
import type { Destination } from '../wire/destination.ts';
import { familyOf } from '../wire/ip.ts';
import type { Facts, InterfaceFacts, PathProbeFacts, ProbeResult, RouteFacts } from './facts.ts';
import { ip } from './ip-command.ts';
import {
  parseDefaultRoutes,
  parseEndpoints,
  parseInterfaces,
  parseLimits,
  parseNofile,
  parseRoute,
} from './readings.ts';
import { sysctlPath } from './remedy.ts';

export type ProbeHost = (destination: Destination) => Promise<ProbeResult>;

export interface GatherOptions {
  /** A server to try MPTCP with, and how. */
  readonly target?: Destination;
  readonly probe?: ProbeHost;
  /** The same over each path by itself. */
  readonly probePaths?: (destination: Destination) => Promise<readonly PathProbeFacts[]>;
}

/** Documentation addresses (RFC 5737, RFC 3849): routed as any far host is, and nobody's. */
const FAR_HOST = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;
/** For machines that use those after all, as laboratories do. */
const FAR_HOST_OTHER = { 4: '198.51.100.1', 6: '2001:db8:ffff::1' } as const;

const SYSCTLS = [
  'net.mptcp.enabled',
  'net.mptcp.path_manager',
  'net.mptcp.pm_type',
  'net.mptcp.scheduler',
  'net.mptcp.allow_join_initial_addr_port',
  'net.mptcp.blackhole_timeout',
  'net.mptcp.close_timeout',
  'net.ipv4.tcp_fastopen',
  'net.ipv4.tcp_congestion_control',
  'net.ipv4.tcp_available_congestion_control',
  'net.ipv4.tcp_allowed_congestion_control',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
  'net.ipv4.conf.all.rp_filter',
  'net.core.rmem_max',
  'net.core.wmem_max',
  'net.core.somaxconn',
  'fs.pipe-user-pages-soft',
] as const;

/** Addresses looked at: a machine with more has an administrator with better tools. */
const ADDRESSES_MAX = 64;

export async function gatherFacts(options: GatherOptions = {}): Promise<Facts> {
  const [links, routes4, routes6, endpoints, limits, probe, pathProbes] = await Promise.all([
    ip('-j', 'addr', 'show', 'up'),
    ip('-j', '-4', 'route', 'show', 'default'),
    ip('-j', '-6', 'route', 'show', 'default'),
    ip('-j', 'mptcp', 'endpoint', 'show'),
    ip('mptcp', 'limits', 'show'),
    options.target && options.probe ? options.probe(options.target) : undefined,
    options.target && options.probePaths ? options.probePaths(options.target) : [],
  ]);
  const gateways = [...parseDefaultRoutes(routes4 ?? ''), ...parseDefaultRoutes(routes6 ?? '')];
  const interfaces = links === undefined ? undefined : parseInterfaces(links, gateways);
  const perInterface = (interfaces ?? []).map(({ name }) => `net.ipv4.conf.${name}.rp_filter`);
  return {
    kernelRelease: readText('/proc/sys/kernel/osrelease')?.trim(),
    mptcpSocket: probeMptcp(),
    sysctls: readSysctls([...SYSCTLS, ...perInterface]),
    descriptors: parseNofile(readText('/proc/self/limits') ?? ''),
    interfaces,
    primary: await primaryOf(interfaces ?? []),
    endpoints: endpoints === undefined ? undefined : parseEndpoints(endpoints),
    limits: limits === undefined ? undefined : parseLimits(limits),
    routes: await routesOf(interfaces ?? []),
    managers: findOtherManagers(),
    pathProbes,
    probe: options.target && probe ? { destination: options.target, result: probe } : undefined,
  };
}

async function primaryOf(interfaces: readonly InterfaceFacts[]): Promise<string | undefined> {
  for (const family of [4, 6] as const) {
    const json = await ip('-j', 'route', 'get', farHost(interfaces, family));
    const device = json === undefined ? undefined : parseRoute(json);
    if (device !== undefined) return device;
  }
  return undefined;
}

/** An address that this machine has no network of. */
function farHost(interfaces: readonly InterfaceFacts[], family: 4 | 6): string {
  const near = family === 4 ? '192.0.2.' : '2001:db8:';
  const isNear = interfaces.some(({ addresses }) => addresses.some((address) => address.startsWith(near)));
  return (isNear ? FAR_HOST_OTHER : FAR_HOST)[family];
}

async function routesOf(interfaces: readonly InterfaceFacts[]): Promise<RouteFacts[]> {
  const sources = interfaces.flatMap(({ name, addresses }) => addresses.map((source) => ({ source, device: name })));
  const routes: RouteFacts[] = [];
  // One after the other: an `ip` each, and nobody is in a hurry.
  for (const { source, device } of sources.slice(0, ADDRESSES_MAX)) {
    const far = farHost(interfaces, familyOf(source));
    const plain = await ip('-j', 'route', 'get', far, 'from', source);
    const bound = await ip('-j', 'route', 'get', far, 'from', source, 'oif', device);
    routes.push({
      source,
      device,
      leavesBy: plain === undefined ? undefined : parseRoute(plain),
      reachableByOwn: bound !== undefined && parseRoute(bound) === device,
    });
  }
  return routes;
}

function readSysctls(names: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const name of names) {
    const text = readText(`/proc/sys/${sysctlPath(name)}`);
    if (text !== undefined) values[name] = text.trim();
  }
  return values;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
