// The paths of a network namespace at one moment, and what is set up for them. Changes nothing, and needs no rights.

import { NetworkWatch } from '../netlink/network-watch.ts';
import { PathManager } from '../netlink/path-manager.ts';
import type { PmAddress, PmLimits } from '../wire/mptcp-pm.ts';
import { discoverPaths } from './discover.ts';
import { isOurNumber, readNote } from './marks.ts';
import type { Path } from './path.ts';
import { type Owner, ownerOfEndpoint, ownerOfRouting } from './plan.ts';

export interface PathSurvey extends Path {
  readonly routing: Owner;
  /** Table that its rule leads to. */
  readonly table: number | undefined;
  readonly endpoint: Owner;
  readonly endpointFlags: readonly string[];
  /** What is not as it should be, and what it leads to. */
  readonly missing: readonly string[];
}

export interface Survey {
  readonly paths: readonly PathSurvey[];
  /** `undefined`: this kernel has no MPTCP. */
  readonly limits: PmLimits | undefined;
  readonly missing: readonly string[];
}

/** `namespace`: path of a network namespace. Throws a LinuxError or a NetlinkError. */
export function surveyPaths(namespace?: string): Survey {
  const watch = new NetworkWatch({ namespace, keepTable: isOurNumber });
  let endpoints: readonly PmAddress[] = [];
  let limits: PmLimits | undefined;
  const pm = PathManager.open(namespace);
  if (pm !== undefined) {
    endpoints = pm.endpoints();
    limits = pm.limits();
    pm.close();
  }
  const view = watch.network;
  watch.close();
  const found = discoverPaths(view);
  const interfaces = new Set(found.map(({ index }) => index)).size;
  const paths = found.map((path): PathSurvey => {
    const routing = ownerOfRouting(path, view);
    const rule = view.rules.find((one) => one.plain && one.from === path.address && readNote(one) === undefined);
    const endpoint = ownerOfEndpoint(path, endpoints, view.rules);
    const flags = endpoints.find(({ address }) => address === path.address)?.flags ?? [];
    const missing: string[] = path.trouble === undefined ? [] : [path.trouble];
    if (interfaces > 1 && routing === 'none') missing.push('no source rule: its packets leave by the first path');
    if (interfaces > 1 && limits !== undefined && endpoint === 'none') {
      missing.push('no MPTCP endpoint: connections do not use it beside another path');
    }
    return {
      ...path,
      routing,
      table: routing === 'none' ? undefined : rule?.table,
      endpoint,
      endpointFlags: flags,
      missing,
    };
  });
  const missing: string[] = [];
  if (limits === undefined) missing.push('this kernel has no MPTCP: one path at a time');
  else if (limits.subflows < interfaces - 1) {
    missing.push(`the MPTCP limit of ${limits.subflows} further subflows is too low for ${interfaces} interfaces`);
  }
  return { paths, limits, missing };
}
