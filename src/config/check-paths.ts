// What several values of the section `paths` tell together, and what other sections ask of it.

import type { FaultPath, Finding } from './fault.ts';
import { mapsOf, type RawMap } from './names.ts';

export function checkPaths(file: RawMap): Finding[] {
  const paths = mapOf(file.paths);
  return [
    ...checkUser(paths, file.user),
    ...checkMode(paths),
    ...checkUserspace(file, paths),
    ...checkBalancer(paths, file.user),
    ...checkManaged(paths),
    ...mapsOf(paths.known).flatMap(({ index, map }) => checkKnown(map, ['paths', 'known', index])),
  ];
}

/** Another account may not administer the network, and the paths change for as long as the proxy runs. */
function checkUser(paths: RawMap, user: unknown): Finding[] {
  if (user === undefined || paths.manage !== true) return [];
  const message = 'cannot go with `user`, which gives up the right to administer the network';
  const hint = 'leave `user` out and start as that account with CAP_NET_ADMIN, as packaging/anabranch.service does';
  return [{ path: ['paths', 'manage'], message, hint }];
}

/** What nobody would carry out. */
function checkManaged(paths: RawMap): Finding[] {
  if (paths.manage === true || (paths.manage !== undefined && paths.manage !== false)) return [];
  const idle = mapsOf(paths.known).flatMap(({ index, map }) =>
    ['endpoint', 'budget'].filter((key) => key in map).map((key): FaultPath => ['paths', 'known', index, key]),
  );
  if ('wish' in paths && paths.wish !== 'max-throughput') idle.unshift(['paths', 'wish']);
  return idle.map((path) => {
    return { path, message: 'is for paths that are managed', hint: 'add manage: true to paths', atKey: true };
  });
}

/** Endpoints are the kernel's path manager's. */
function checkBalancer(paths: RawMap, user: unknown): Finding[] {
  if (paths.balancer === undefined) return [];
  const path: FaultPath = ['paths', 'balancer'];
  if (paths.mode === 'userspace') {
    const message = "is for the kernel's path manager, which announces addresses by itself";
    return [{ path, message, hint: 'leave mode: userspace out, or this', atKey: true }];
  }
  if (user === undefined) return [];
  const message = 'cannot go with `user`, which gives up the right to take it back';
  return [{ path, message, hint: 'leave `user` out and start as that account with CAP_NET_ADMIN', atKey: true }];
}

const USERSPACE = 'mode: userspace';

function checkMode(paths: RawMap): Finding[] {
  const findings: Finding[] = [];
  if (paths.mode === 'userspace' && paths.manage !== true) {
    const message = 'is for paths that are managed';
    findings.push({ path: ['paths', 'mode'], message, hint: 'add manage: true' });
  }
  if (paths.mode !== 'userspace' && isKnownMode(paths.mode)) {
    for (const key of ['strategy', 'meteredAfter'].filter((key) => key in paths)) {
      findings.push(forUserspace(['paths', key]));
    }
  }
  if (paths.subflows !== undefined && paths.strategy !== 'ndiffports') {
    const hint = 'add strategy: ndiffports, or leave it out';
    findings.push({ path: ['paths', 'subflows'], message: 'is for the strategy ndiffports only', hint, atKey: true });
  }
  return findings;
}

/** The kernel's path manager treats all connections alike. */
function checkUserspace(file: RawMap, paths: RawMap): Finding[] {
  if (paths.mode === 'userspace' || !isKnownMode(paths.mode)) return [];
  const inbounds = mapsOf(file.inbounds).filter(({ map }) => 'strategy' in mapOf(map.paths));
  const rules = mapsOf(file.rules).filter(({ map }) => 'wish' in map);
  return [
    ...inbounds.map(({ index }) => forUserspace(['inbounds', index, 'paths', 'strategy'])),
    ...rules.map(({ index }) => forUserspace(['rules', index, 'wish'])),
  ];
}

function forUserspace(path: FaultPath): Finding {
  const message = "needs the paths' mode userspace: the kernel's path manager treats all connections alike";
  return { path, message, hint: `add paths: { manage: true, ${USERSPACE} }, or leave it out`, atKey: true };
}

/** A faulty mode is told of already. */
function isKnownMode(mode: unknown): boolean {
  return mode === undefined || mode === 'kernel' || mode === 'userspace';
}

function checkKnown(known: RawMap, path: FaultPath): Finding[] {
  const match = mapOf(known.match);
  const findings = checkEndpoint(mapOf(known.endpoint), [...path, 'endpoint']);
  if (known.match !== undefined && Object.keys(match).length === 0) {
    const hint = 'interface, kind or address; interface: "*" for every path';
    findings.push({ path: [...path, 'match'], message: 'says of no path that it is meant', hint });
  }
  if (known.ignore === true) {
    for (const key of ['endpoint', 'budget', 'priority', 'cost'].filter((key) => key in known)) {
      const hint = 'leave it out, or ignore';
      findings.push({ path: [...path, key], message: 'is for paths that are not ignored', hint, atKey: true });
    }
  }
  return findings;
}

/** What mptcp_pm_nl_add_addr_doit() in net/mptcp/pm_kernel.c refuses, and what it takes without effect. */
function checkEndpoint(endpoint: RawMap, path: FaultPath): Finding[] {
  const { signal = false, subflow = signal !== true, fullmesh = false, port = 0 } = endpoint;
  const findings: Finding[] = [];
  if (fullmesh === true && signal === true) {
    const message = 'cannot go with signal: the kernel refuses an endpoint with both';
    findings.push({ path: [...path, 'fullmesh'], message, hint: 'signal for a server, fullmesh for a client' });
  } else if (fullmesh === true && subflow === false) {
    const message = 'has no effect without subflow';
    findings.push({ path: [...path, 'fullmesh'], message, hint: 'leave subflow out' });
  }
  if (typeof port === 'number' && port > 0 && signal !== true) {
    const message = 'is told to the peer, so the kernel refuses it without signal';
    findings.push({ path: [...path, 'port'], message, hint: 'add signal: true, or leave port out' });
  } else if (typeof port === 'number' && port > 0 && subflow === true) {
    const message = 'cannot go with subflow: the kernel refuses a port on an endpoint that connects';
    findings.push({ path: [...path, 'port'], message, hint: 'leave subflow out, or port' });
  }
  const { backup = false, laminar = false } = endpoint;
  if (subflow === false && signal !== true && laminar !== true) {
    const message = 'makes an endpoint that does nothing';
    const hint = `leave it out${backup === true ? ' or say signal: true' : ', or add signal or laminar'}`;
    findings.push({ path: [...path, 'subflow'], message, hint });
  }
  return findings;
}

function mapOf(value: unknown): RawMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as RawMap) : {};
}
