// Active probing: `paths.probe` of the configuration, and single rounds for `paths --probe` and `doctor HOST:PORT`.

import type { Config, PathsConfig } from '../config/config.ts';
import { createResolver } from '../dataplane/resolver.ts';
import { NetworkWatch } from '../netlink/network-watch.ts';
import { discoverPaths } from '../paths/discover.ts';
import { Preferences } from '../paths/preferences.ts';
import { describeHealth, type Health, type HealthChange } from '../paths/probing/path-health.ts';
import { type ProbedHealth, type ProbedPath, Prober, type ProbeSettings } from '../paths/probing/prober.ts';
import type { Log } from '../proxy/log.ts';

export interface PathProbing {
  readonly results: () => readonly ProbedHealth[];
  readonly stop: () => void;
}

export interface ProbeEvent {
  readonly at: number;
  readonly kind: HealthChange;
  readonly path: string;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const RESOLVE_MS_MAX = 5_000;
/** A single round tells little of losses, so it is made a few times. */
const ROUNDS = 3;

const NEWS: Readonly<Record<HealthChange, string>> = {
  'path-silent': 'does not answer any more',
  'path-answers': 'answers again',
  'path-captive': 'leads into a captive portal',
  'path-open': 'leads out of the captive portal',
  'path-mptcp-blocked': 'lets MPTCP no longer through',
  'path-mptcp-through': 'lets MPTCP through again',
};

export interface ProbingOptions {
  readonly log: Log;
  /** For the flow log. */
  readonly onEvent: (event: ProbeEvent) => void;
  /** What the owner knows of the paths by now. */
  readonly paths: () => PathsConfig;
}

/** `undefined`: no probing is configured. */
export function startPathProbing(config: Config, { log, onEvent, paths }: ProbingOptions): PathProbing | undefined {
  const { probe } = config.paths;
  if (probe === undefined) return undefined;
  const resolver = createResolver({ now: () => performance.now(), timeoutMs: RESOLVE_MS_MAX });
  const prober = new Prober({
    ...probe,
    listPaths: () => listPaths(paths()),
    resolve: async (host) => (await resolver.resolve(host)).addresses,
    onChange: ({ name }, change, health) => {
      const message = `${name} ${NEWS[change]}: ${describeHealth(health)}`;
      const isGood = change === 'path-answers' || change === 'path-open' || change === 'path-mptcp-through';
      log[isGood ? 'info' : 'warn'](change, message);
      onEvent({ at: Date.now(), kind: change, path: name, message, data: dataOf(health) });
    },
  });
  prober.start();
  return {
    results: () => prober.results,
    stop() {
      prober.stop();
      resolver.close();
    },
  };
}

function dataOf({ answers, rttMs, loss, mptcp, portal }: Health): Record<string, unknown> {
  return { answers, rttMs, loss, mptcp, portal };
}

/** Each path of this machine, metered ones too: somebody has asked for it. */
export async function probeOnce(settings: Pick<ProbeSettings, 'to' | 'portal'>): Promise<ProbedHealth[]> {
  const resolver = createResolver({ now: () => performance.now(), timeoutMs: RESOLVE_MS_MAX });
  const prober = new Prober({
    ...settings,
    every: 0,
    metered: true,
    listPaths: () => listPaths(undefined),
    resolve: async (host) => (await resolver.resolve(host)).addresses,
    onChange: () => {},
  });
  try {
    for (let i = 0; i < ROUNDS; i++) await prober.round();
    return prober.results;
  } finally {
    resolver.close();
  }
}

/** As their owner knows them. None when the kernel does not let itself be asked. */
function listPaths(paths: PathsConfig | undefined): readonly ProbedPath[] {
  let watch: NetworkWatch;
  try {
    watch = new NetworkWatch();
  } catch {
    return [];
  }
  try {
    const { judge } = new Preferences(paths);
    return discoverPaths(watch.network, undefined, judge);
  } finally {
    watch.close();
  }
}
