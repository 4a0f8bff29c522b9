// The paths of a network namespace at one moment, and what is set up for them. Changes nothing, and needs no rights.

import { NetworkWatch } from '../netlink/network-watch.ts';
import { findOtherManagers, type OtherManager } from '../netlink/other-managers.ts';
import { PathManager } from '../netlink/path-manager.ts';
import type { PmLimits } from '../wire/mptcp-pm.ts';
import type { BudgetUse } from './budget.ts';
import { discoverPaths } from './discover.ts';
import { isOurNumber, readNote } from './marks.ts';
import type { Path } from './path.ts';
import { type Owner, ownerOfEndpoint, ownerOfRouting, type Present } from './plan.ts';
import { Preferences } from './preferences.ts';

export interface PathSurvey extends Omit<Path, 'budget'> {
  readonly routing: Owner;
  /** Table that its rule leads to. */
  readonly table: number | undefined;
  readonly endpoint: Owner;
  readonly endpointFlags: readonly string[];
  /** Port that is told to peers; 0 for none. */
  readonly endpointPort: number;
  /** Nothing comes through, although nobody said so; only who manages the paths knows. */
  readonly silent: boolean;
  readonly budget: BudgetUse | undefined;
  /** What is not as it should be, and what it leads to. */
  readonly missing: readonly string[];
}

export interface Survey {
  readonly paths: readonly PathSurvey[];
  /** Names of paths that are left alone because their owner wants it so. */
  readonly ignored: readonly string[];
  /** `undefined`: this kernel has no MPTCP. */
  readonly limits: PmLimits | undefined;
  readonly missing: readonly string[];
}

export interface WholeSurvey extends Survey {
  /** Other programs that set up endpoints. */
  readonly others: readonly OtherManager[];
}

/** What is known of a path by who manages it. */
export interface Insight {
  readonly silent: boolean;
  readonly budget: BudgetUse | undefined;
  /** Connections get subflows by endpoints. */
  readonly byEndpoint: boolean;
}

/** What is there: without `limits` when the kernel has no MPTCP. */
export interface Sight extends Omit<Present, 'limits'> {
  readonly limits: PmLimits | undefined;
}

export interface SurveyOptions {
  readonly preferences?: Preferences;
  /** Path of a network namespace; the process's own unless given. */
  readonly namespace?: string;
}

/** Throws a LinuxError or a NetlinkError. */
export function surveyPaths({ preferences = new Preferences(), namespace }: SurveyOptions = {}): WholeSurvey {
  const watch = new NetworkWatch({ namespace, keepTable: isOurNumber });
  const pm = PathManager.open(namespace);
  const sight: Sight = { view: watch.network, endpoints: pm?.endpoints() ?? [], limits: pm?.limits() };
  pm?.close();
  watch.close();
  const found = discoverPaths(sight.view, undefined, preferences.judge);
  const paths = preferences.rank(found);
  const survey = describePaths(paths, sight, preferences.ignored, () => {
    return { silent: false, budget: undefined, byEndpoint: true };
  });
  return { ...survey, others: findOtherManagers() };
}

export function describePaths(
  paths: readonly Path[],
  sight: Sight,
  ignored: readonly string[],
  insightOf: (path: Path) => Insight,
): Survey {
  const { limits } = sight;
  const interfaces = new Set(paths.map(({ index }) => index)).size;
  const missing: string[] = [];
  if (limits === undefined) missing.push('this kernel has no MPTCP: one path at a time');
  else if (limits.subflows < interfaces - 1) {
    missing.push(`the MPTCP limit of ${limits.subflows} further subflows is too low for ${interfaces} interfaces`);
  }
  return {
    paths: paths.map((path) => describePath(path, sight, interfaces > 1, insightOf(path))),
    ignored,
    limits,
    missing,
  };
}

function describePath(
  path: Path,
  { view, endpoints, limits }: Sight,
  isOneOfSeveral: boolean,
  { silent, budget, byEndpoint }: Insight,
): PathSurvey {
  const routing = ownerOfRouting(path, view);
  const rule = view.rules.find((one) => one.plain && one.from === path.address && readNote(one) === undefined);
  const owner = ownerOfEndpoint(path, endpoints, view.rules);
  const endpoint = endpoints.find(({ address }) => address === path.address);
  const missing: string[] = path.trouble === undefined ? [] : [path.trouble];
  if (silent) missing.push('silent: nothing comes through');
  if (isOneOfSeveral && routing === 'none') missing.push('no source rule: its packets leave by the first path');
  if (isOneOfSeveral && limits !== undefined && owner === 'none' && byEndpoint && isUsable(path, silent)) {
    missing.push('no MPTCP endpoint: connections do not use it beside another path');
  }
  return {
    ...path,
    routing,
    table: routing === 'none' ? undefined : rule?.table,
    endpoint: owner,
    endpointFlags: endpoint?.flags ?? [],
    endpointPort: endpoint?.port ?? 0,
    silent,
    budget,
    missing,
  };
}

/** Where an endpoint should be. */
function isUsable({ trouble, spared }: Path, silent: boolean): boolean {
  return trouble !== 'budget used up' && !spared && !silent;
}
