// A path: an interface with an address and a gateway, and what its owner thinks of it.

import type { BudgetConfig, EndpointConfig, PathCost, PathKind } from '../config/config.ts';

/** Why a path cannot carry anything just now; `undefined` when it can. */
export type PathTrouble = 'interface down' | 'no carrier' | 'address not ready' | 'no gateway' | 'budget used up';

export interface Path {
  /** The interface's, unless configured. */
  readonly name: string;
  readonly interface: string;
  readonly index: number;
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefix: number;
  /** `undefined`: the link has two ends only, or there is none (see `trouble`). */
  readonly gateway: string | undefined;
  /** Of its default route. */
  readonly metric: number;
  readonly kind: PathKind;
  readonly cost: PathCost;
  /** Smaller is preferred; 0 unless its owner says otherwise. */
  readonly priority: number;
  /** To be used only while no other path works: so its owner says, or its budget, or others come before it. */
  readonly backup: boolean;
  /** Little is left of its budget. */
  readonly spent: boolean;
  /** It works, and the wish for all connections leaves it out. */
  readonly spared: boolean;
  /** Flags of its endpoint, but for `backup`. */
  readonly wanted: EndpointConfig;
  /** What it may carry in a month; `undefined`: as much as it can. */
  readonly budget: BudgetConfig | undefined;
  readonly trouble: PathTrouble | undefined;
}

/** What tells paths apart. */
export function pathKey({ index, address }: Pick<Path, 'index' | 'address'>): string {
  return `${index} ${address}`;
}
