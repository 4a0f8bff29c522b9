import type { Path } from '#anabranch/paths/path.js';

export function pathOf(more: Partial<Path>): Path {
  const common = {
    name: 'p',
    interface: 'p',
    index: 2,
    family: 4,
    address: '192.0.2.7',
    prefix: 24,
    gateway: undefined,
    metric: 100,
    kind: 'ethernet',
    cost: 'free',
    priority: 0,
    backup: false,
    spent: false,
    spared: false,
    wanted: { subflow: true, backup: false, fullmesh: false, signal: false, laminar: false, port: 0 },
    budget: undefined,
    trouble: undefined,
  } as const;
  return { ...common, ...more };
}
