// The section `paths`, with every default filled in.

import type { BudgetConfig, EndpointConfig, KnownPath, PathsConfig, ProbeConfig } from './config.ts';
import type { PathsValues } from './paths-schema.ts';
import { withoutUndefined } from './present.ts';

type KnownValues = NonNullable<PathsValues['known']>[number];

const SUBFLOWS = 2;
const PROBE_MS = 30_000;

export function fillPaths(values: PathsValues = {}): PathsConfig {
  const { manage = false, mode = 'kernel', strategy = 'fullmesh', subflows = SUBFLOWS, meteredAfter, state } = values;
  return {
    manage,
    mode,
    strategy,
    subflows,
    wish: values.wish ?? { kind: 'max-throughput' },
    meteredAfter,
    state,
    known: (values.known ?? []).map(fillKnown),
    probe: fillProbe(values.probe),
    balancer: values.balancer,
  };
}

function fillKnown({ match, endpoint, budget, ...rest }: KnownValues): KnownPath {
  return {
    ...withoutUndefined(rest),
    match: withoutUndefined(match),
    ...(endpoint === undefined ? {} : { endpoint: fillEndpoint(endpoint) }),
    ...(budget === undefined ? {} : { budget: fillBudget(budget) }),
  };
}

function fillEndpoint(values: NonNullable<KnownValues['endpoint']>): EndpointConfig {
  const { signal = false, subflow = !signal, backup = false, fullmesh = false, laminar = false, port = 0 } = values;
  return { subflow, backup, fullmesh, signal, laminar, port };
}

function fillBudget(values: NonNullable<KnownValues['budget']>): BudgetConfig {
  // biome-ignore lint/suspicious/noThenProperty: a word of the file; nobody awaits it.
  return { monthly: values.monthly, from: values.from ?? 1, then: values.then ?? 'backup' };
}

function fillProbe(values: PathsValues['probe']): ProbeConfig | undefined {
  if (values === undefined) return undefined;
  return { every: values.every ?? PROBE_MS, to: values.to, metered: values.metered ?? false, portal: values.portal };
}
