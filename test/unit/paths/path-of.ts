// Paths for tests.

import type { Path } from '#anabranch/paths/path.js';

/** A path over its own interface, as it is found when its owner says nothing. */
export function pathOf(index: number, address: string, more: Partial<Path> = {}): Path {
  return {
    name: `p${index}`,
    interface: `p${index}`,
    index,
    family: address.includes(':') ? 6 : 4,
    address,
    prefix: address.includes(':') ? 64 : 24,
    gateway: undefined,
    metric: 100,
    kind: 'wifi',
    cost: 'free',
    priority: 0,
    backup: false,
    spent: false,
    spared: false,
    wanted: { subflow: true, backup: false, fullmesh: false, signal: false, laminar: false, port: 0 },
    budget: undefined,
    trouble: undefined,
    ...more,
  };
}
