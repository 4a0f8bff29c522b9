// A path: an interface with an address and a gateway, and what its owner thinks of it.

export type PathKind = 'ethernet' | 'wifi' | 'cellular' | 'dsl' | 'tunnel' | 'virtual' | 'unknown';
export type PathCost = 'free' | 'metered';

/** Why a path cannot carry anything just now; `undefined` when it can. */
export type PathTrouble = 'interface down' | 'no carrier' | 'address not ready' | 'no gateway';

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
  readonly kind: PathKind;
  readonly cost: PathCost;
  /** Smaller is preferred: the metric of its default route. */
  readonly priority: number;
  readonly trouble: PathTrouble | undefined;
}

/** What tells paths apart. */
export function pathKey({ index, address }: Pick<Path, 'index' | 'address'>): string {
  return `${index} ${address}`;
}
